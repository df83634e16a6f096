/** How often a token is asked for that does not come, by a clock of the test's own. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Client, type SocketMaker } from "../src/index.js";
import type { Socket } from "../src/link.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function fakes(): { sockets: Socket[]; Fake: SocketMaker } {
  const sockets: Socket[] = [];
  class Fake implements Socket {
    onopen = null;
    onmessage = null;
    onclose = null;
    onerror = null;
    constructor() {
      sockets.push(this);
    }
    send(): void {}
    close(): void {}
  }
  return { sockets, Fake: Fake as unknown as SocketMaker };
}

test("where neither a token nor the gateway is to be had, who comes back asks less and less often", async () => {
  const { sockets, Fake } = fakes();
  const asked: [good: (token: string) => void, bad: (error: Error) => void][] = [];
  const client = new Client({
    url: "http://gateway/", WebSocket: Fake, token: () => new Promise<string>((...settle) => void asked.push(settle)),
  });
  const call = (socket: Socket, name: "onmessage" | "onclose", event: object): void => (socket[name] as unknown as (event: object) => void)(event);

  vi.spyOn(Math, "random").mockReturnValue(1);
  asked[0]![0]("good");
  await vi.advanceTimersByTimeAsync(0);
  call(sockets[0]!, "onmessage", { data: JSON.stringify({ type: "welcome", expires_in: 10, heartbeat: 20 }) });
  await vi.advanceTimersByTimeAsync(8_000);
  expect(asked).toHaveLength(2);
  call(sockets[0]!, "onclose", { code: 1006, reason: "" });
  for (let ms = 0; ms < 60_000; ms += 100) {
    asked.at(-1)![1](new Error("nobody answers"));
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(asked.length).toBeGreaterThan(5);
  expect(asked.length).toBeLessThan(12);
  client.close();
});

test("a token that never comes is asked for anew, and does not hold the connection up", async () => {
  const { sockets, Fake } = fakes();
  let nAsked = 0;
  const token = (): Promise<string> => (++nAsked === 1 ? new Promise(() => {}) : Promise.resolve("good"));
  const client = new Client({ url: "http://gateway/", WebSocket: Fake, token });

  await vi.advanceTimersByTimeAsync(29_000);
  expect([nAsked, sockets.length]).toEqual([1, 0]);
  await vi.advanceTimersByTimeAsync(3_000);
  expect([nAsked, sockets.length]).toEqual([2, 1]);
  client.close();
  expect(vi.getTimerCount()).toBe(0);
});

test("a token that comes leaves no timer behind", async () => {
  const { sockets, Fake } = fakes();
  const client = new Client({ url: "http://gateway/", WebSocket: Fake, token: async () => "good" });

  await vi.advanceTimersByTimeAsync(0);
  expect(sockets).toHaveLength(1);
  client.close();
  expect(vi.getTimerCount()).toBe(0);
});

test("a fetch is told of a token that never comes", async () => {
  const client = new Client({ url: "http://gateway/", WebSocket: fakes().Fake, token: () => new Promise(() => {}) });
  const failed = expect(client.fetch("api/devices")).rejects.toThrow("no token");

  await vi.advanceTimersByTimeAsync(30_000);
  await failed;
  client.close();
});
