/** A PMTiles archive of one tile, which is the whole world, and a server of it that gives ranges as any file server does. */
import { createServer, type Server } from "node:http";

const HEADER = 127;
const NONE = 1; /* compression */
export const VECTORS = 1;
export const PICTURES = 2;

function varint(n: number): number[] {
  return n < 128 ? [n] : [(n & 127) | 128, ...varint(Math.floor(n / 128))];
}

const member = (field: number, bytes: readonly number[]): number[] => [...varint(field * 8 + 2), ...varint(bytes.length), ...bytes];
const whole = (field: number, n: number): number[] => [...varint(field * 8), ...varint(n)];
const zigzag = (n: number): number[] => varint(n < 0 ? -2 * n - 1 : 2 * n);

/** A vector tile with one rectangle in a layer, in 4096ths of the tile. */
export function rectangle(layer: string, west: number, north: number, east: number, south: number): Buffer {
  const geometry = [9, ...zigzag(west), ...zigzag(north), 26, ...zigzag(east - west), 0, 0, ...zigzag(south - north), ...zigzag(west - east), 0, 15];
  const feature = [...whole(3, 3), ...member(4, geometry)];

  return Buffer.from(member(3, [...whole(15, 2), ...member(1, [...Buffer.from(layer)]), ...member(2, feature), ...whole(5, 4096)]));
}

/** As https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md has it. */
export function archive(tile: Buffer, type: number): Buffer {
  const root = Buffer.from([1, 0, 1, ...varint(tile.length), 1]); /* one entry: tile 0, once, so long, at the beginning */
  const metadata = Buffer.from("{}");
  const header = Buffer.alloc(HEADER);
  const parts = [root, metadata, Buffer.alloc(0), tile];
  let at = HEADER;

  header.write("PMTiles");
  header[7] = 3;
  parts.forEach((part, n) => {
    header.writeBigUInt64LE(BigInt(at), 8 + 16 * n);
    header.writeBigUInt64LE(BigInt(part.length), 16 + 16 * n);
    at += part.length;
  });
  for (const count of [72, 80, 88]) header.writeBigUInt64LE(1n, count);
  header.set([1, NONE, NONE, type, 0, 0], 96);
  [-180, -85, 180, 85].forEach((degrees, n) => header.writeInt32LE(degrees * 1e7, 102 + 4 * n));
  return Buffer.concat([header, ...parts]);
}

export interface Served {
  /** `http://127.0.0.1:4711` */
  origin: string;
  /** Ranges that were asked for. */
  asked: string[];
  end(): void;
}

export async function serveRanges(file: Buffer): Promise<Served> {
  const asked: string[] = [];
  const server: Server = createServer((request, answer) => {
    const [, first = "", last = ""] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const shared = { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "Range", "Access-Control-Expose-Headers": "ETag", ETag: '"1"' };

    if (request.method === "OPTIONS") return void answer.writeHead(204, shared).end();
    if (!first) return void answer.writeHead(416, shared).end();
    const end = Math.min(Number(last || file.length), file.length - 1);
    asked.push(request.headers.range!);
    answer.writeHead(206, { ...shared, "Content-Range": `bytes ${first}-${end}/${file.length}` }).end(file.subarray(Number(first), end + 1));
  });

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    asked,
    end: () => void (server.closeAllConnections(), server.close()),
  };
}
