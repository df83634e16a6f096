/** Where a vehicle was, coloured by how fast it went. */
import type { Client } from "@tidegate/client";
import type { Columns } from "@tidegate/client/series";
import type { Feature, FeatureCollection, LineString } from "geojson";
import { ask } from "../data/api";
import { metres } from "./mercator";

interface Track {
  geometry: { type: string; coordinates: unknown } | null;
  properties: { coordTimes: unknown };
}

export const SPEED_COLOURS = ["#4263eb", "#1098ad", "#37b24d", "#f59f00", "#e03131"] as const;
/** A hole of so long is no line. */
const HOLE_MS = 30 * 60_000;

export interface Coloured {
  lines: FeatureCollection<LineString, { colour: string }>;
  /** m/s: that of the last colour. */
  fastest: number;
  points: number;
}

const EMPTY: Coloured = { lines: { type: "FeatureCollection", features: [] }, fastest: 0, points: 0 };

/** What it has said of its speed, by time. */
export type Said = readonly (readonly [at: number, speed: number])[];

/* The last that it has said until then, if that is not too long ago. */
function saidAt(said: Said, at: number): number | undefined {
  let [low, high] = [0, said.length];

  while (low < high) {
    const middle = (low + high) >> 1;
    if (said[middle]![0] <= at) low = middle + 1;
    else high = middle;
  }
  const last = said[low - 1];
  return last && at - last[0] < HOLE_MS ? last[1] : undefined;
}

/**
 * Pieces of a track, each with its colour: neighbours of one colour are one piece. How fast it went is what it has said;
 * else what its way and its times make of it, which is another thing where it was replayed faster than it went.
 */
export function colourTrack({ geometry, properties }: Track, said: Said = []): Coloured {
  if (!geometry || geometry.type === "Point") return EMPTY;
  const isMany = geometry.type === "MultiLineString";
  const parts = (isMany ? geometry.coordinates : [geometry.coordinates]) as number[][][];
  const times = (isMany ? properties.coordTimes : [properties.coordTimes]) as string[][];
  const legs: { from: number[]; to: number[]; speed: number }[] = [];

  parts.forEach((part, p) => {
    for (let i = 1; i < part.length; ++i) {
      const [from, to] = [part[i - 1]!, part[i]!];
      const at = Date.parse(times[p]![i]!);
      const ms = at - Date.parse(times[p]![i - 1]!);
      if (ms > 0 && ms < HOLE_MS) legs.push({ from, to, speed: saidAt(said, at) ?? (1000 * metres(from[0]!, from[1]!, to[0]!, to[1]!)) / ms });
    }
  });
  const sorted = legs.map(({ speed }) => speed).sort((a, b) => a - b);
  const fastest = sorted[Math.floor(0.98 * (sorted.length - 1))] ?? 0; /* one jump of a receiver is no speed */
  const features: Feature<LineString, { colour: string }>[] = [];
  let last: (typeof legs)[number] | undefined;
  for (const leg of legs) {
    const n = fastest > 0 ? Math.min(SPEED_COLOURS.length - 1, Math.floor((leg.speed / fastest) * SPEED_COLOURS.length)) : 0;
    const colour = SPEED_COLOURS[n]!;
    const piece = features.at(-1);
    if (piece && piece.properties.colour === colour && last?.to === leg.from) piece.geometry.coordinates.push(leg.to);
    else features.push({ type: "Feature", properties: { colour }, geometry: { type: "LineString", coordinates: [leg.from, leg.to] } });
    last = leg;
  }
  return { lines: { type: "FeatureCollection", features }, fastest, points: legs.length + 1 };
}

export async function readTrack(client: Client, id: number, from: Date, signal: AbortSignal): Promise<Coloured> {
  const query = new URLSearchParams({ from: from.toISOString(), simplify: "5" });
  const speeds = new URLSearchParams({ from: from.toISOString(), member: "speed", points: "800" });
  const [track, said] = await Promise.all([
    ask<Track>(client, `api/vehicles/id:${id}/track.geojson?${query}`, { signal }),
    ask<Columns>(client, `api/vehicles/id:${id}/series?${speeds}`, { signal }).catch(() => undefined),
  ]);
  const points = (said?.columns ?? []).flatMap(([first, a, min, b, max, c, last, d]) => [[first, a], [min, b], [max, c], [last, d]] as const);

  return colourTrack(track, points.sort(([a], [b]) => a - b));
}
