/** Waking by a road on which connections of before have died without a word, while no watch on silence has run out yet. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import WebSocket from "ws";
import { Client, type Options, type SocketMaker } from "../src/index.js";
import { events, poll } from "../src/fallback.js";
import { Hub, type Note } from "../src/hub.js";
import type { Socket } from "../src/link.js";
import { until, useStack } from "./stack.js";

const stack = useStack();
const made: Client[] = [];
const wakers: (() => void)[] = [];
const now = Date.now;
const later = setTimeout;

/** Longer than this nobody waits here but for silence. */
const LONG_MS = 15_000;

class Blocked {
  constructor() {
    throw new Error("blocked");
  }
}
const blocked = Blocked as unknown as SocketMaker;

beforeEach(() => {
  vi.stubGlobal("document", { hidden: false });
  vi.stubGlobal("addEventListener", (name: string, run: () => void) => name === "online" && wakers.push(run));
  vi.stubGlobal("setTimeout", Object.assign((run: () => void, ms = 0, ...all: []) => later(run, ms > LONG_MS ? 2 ** 31 - 1 : ms, ...all), later));
});
afterEach(() => {
  made.splice(0).forEach((client) => client.close());
  wakers.length = 0;
  Date.now = now;
  vi.unstubAllGlobals();
});

const publish = (words: string): Promise<void> => stack.act("publish", { topic: "seano/USV-1/raw_log", payload: words });

for (const [name, options, isStale] of [
  ["a WebSocket with a token that holds", {}, false], ["a WebSocket with one that does not", {}, true],
  ["event streams", { WebSocket: blocked, fallback: [events()] }, true], ["polls", { WebSocket: blocked, fallback: [poll()] }, true],
] as const)
  test(`${name}: who wakes looks for himself, and has all that he missed`, async () => {
    const done: string[] = [];
    const heard: string[] = [];
    class Seen extends WebSocket {
      constructor(...all: ConstructorParameters<typeof WebSocket>) {
        super(...all);
        done.push("socket");
      }
    }
    const client = new Client({
      url: stack.where.url, WebSocket: Seen as unknown as SocketMaker,
      token: () => (done.push("token"), stack.act("token", { user: "ana" })), ...(options as Partial<Options>),
    });
    made.push(client);
    const sub = client.subscribe({ to: ["vehicle/USV-1"], types: ["raw_log"] }, { onEvent: (push) => heard.push((push as { data: string }).data) });

    await sub.ready;
    await publish(`before, ${name}`);
    await until(() => heard.length === 1, "it is live");
    await stack.act("drop");
    await publish(`meanwhile, ${name}`);
    await stack.act("mend", { tell: false });
    done.length = 0;
    Date.now = () => now() + (isStale ? 7_200_000 : 60_000);
    wakers.forEach((wake) => wake());
    await until(() => heard.length === 2, "what it missed");
    expect(heard).toEqual([`before, ${name}`, `meanwhile, ${name}`]);
    if (name.startsWith("a WebSocket")) expect(done).toEqual(isStale ? ["token", "socket"] : ["socket"]);
  });

test("what a first poll is told may take longer to come than to begin", async () => {
  const ends: (string | undefined)[] = [];
  const real = fetch;
  let n = 0;
  vi.stubGlobal("fetch", async (url: URL, init: RequestInit) => {
    const response = await real(url, init);
    if (!`${url}`.includes("/poll") || n++ > 0) return response;
    const body = new Uint8Array(await response.arrayBuffer());
    return new Response(new ReadableStream<Uint8Array>({
      start(to) {
        init.signal!.addEventListener("abort", () => to.error(init.signal!.reason));
        later(() => init.signal!.aborted || (to.enqueue(body), to.close()), 12_000);
      },
    }), response);
  });
  const client = new Client({ url: stack.where.url, token: () => stack.act("token", { user: "ana" }), WebSocket: blocked, fallback: [poll()] });
  made.push(client);
  client.onConnection(({ reason }) => ends.push(reason));

  await client.subscribe({ to: ["user"] }).ready;
  expect(ends.filter(Boolean)).toEqual([]);
});

function hubOfTwo() {
  const sockets: { socket: Socket; sent: string[] }[] = [];
  const said: Note[] = [];
  class Fake implements Socket {
    onopen = null;
    onmessage = null;
    onclose = null;
    onerror = null;
    sent: string[] = [];
    constructor() {
      sockets.push({ socket: this, sent: this.sent });
    }
    send(text: string): void {
      this.sent.push(text);
    }
    close(): void {}
  }
  const hub = new Hub((note) => said.push(note), Fake as unknown as SocketMaker);
  const open = (...names: string[]): void => names.forEach((tab) => hub.hear({ tab, open: { url: "ws://gateway/", protocols: [] } }));
  const come = (message: object): void => (sockets.at(-1)!.socket.onmessage as unknown as (event: object) => void)({ data: JSON.stringify(message) });
  const ping = (tab: string): void => hub.hear({ tab, send: JSON.stringify({ op: "ping", id: -1 }) });
  const bye = (tab: string): void => hub.hear({ tab, bye: true });

  open("one", "other");
  return { hub, sockets, said, open, come, ping, bye };
}

const silent = { tab: "other", closed: { code: 1006, reason: "silent" } };

test("a socket of all tabs that one of them finds dead is given to none", () => {
  const { hub, sockets, said, open, come, ping, bye } = hubOfTwo();

  come({ type: "welcome", expires_in: null });
  ping("one");
  come({ type: "progress" });
  bye("one");
  open("one");
  expect(sockets).toHaveLength(1);
  said.length = 0;
  ping("one");
  bye("one");
  expect(said).toContainEqual(silent);
  open("one", "other");
  expect(sockets).toHaveLength(2);
  expect(said.filter(({ data }) => data)).toEqual([]);
  hub.stop();
});

test("a tab that only goes, while another one asks, takes nothing from it", () => {
  const { hub, said, come, ping, bye } = hubOfTwo();

  come({ type: "welcome", expires_in: null });
  ping("other");
  bye("one");
  expect(said.filter(({ closed }) => closed)).toEqual([]);
  hub.stop();
});

test("a socket of all tabs that was never welcome is given to none, once one of them has waited for it", () => {
  const { hub, sockets, said, open, bye } = hubOfTwo();

  bye("one");
  open("one");
  expect(said.filter(({ closed }) => closed)).toEqual([]);
  Date.now = () => now() + 10_000;
  bye("one");
  expect(said).toContainEqual(silent);
  open("one", "other");
  expect(sockets).toHaveLength(2);
  hub.stop();
});
