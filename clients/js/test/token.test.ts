/** How often a token is asked for that does not come, by a clock of the test's own. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Client, type SocketMaker } from "../src/index.js";
import type { Socket } from "../src/link.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test("where neither a token nor the gateway is to be had, who comes back asks less and less often", async () => {
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
  const asked: [good: (token: string) => void, bad: (error: Error) => void][] = [];
  const client = new Client({
    url: "http://gateway/", WebSocket: Fake as unknown as SocketMaker, token: () => new Promise<string>((...settle) => void asked.push(settle)),
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
