/** A chart of which more comes than it keeps until its history is there. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Client } from "../src/client.js";
import { Series } from "../src/series.js";
import type { Handlers } from "../src/subscription.js";
import type { Push } from "../src/wire.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A gateway of which the test says what history it has, and when. */
function begin() {
  const sub = { things: new Set(["device/3"]), cursor: "E:1", unsubscribe: () => {} };
  const answers: ((upTo: number) => void)[] = [];
  let handlers: Handlers = {};
  const fetch = (): Promise<Response> => new Promise((resolve) => answers.push((upTo) => resolve(new Response(JSON.stringify({
    device_id: 3, member: "n", from: "", to: new Date().toISOString(), points: 800, step: 0, cursor: `E:${upTo}`,
    columns: [[Date.now() - 1000, 0, Date.now() - 1000, 0, Date.now() - 1000, 0, Date.now() - 1000, 0, upTo]],
  })))));
  const client = { fetch, subscribe: (_: unknown, all: Handlers) => ((handlers = all), sub) } as unknown as Client;
  const series = new Series(client, { thing: "device/3", member: "n", window: 60_000 });
  let n = 1;
  const send = (count: number): void => {
    for (const end = n + count; n < end;)
      handlers.onEvent!({ type: "telemetry", device_id: 3, cursor: `E:${++n}`, timestamp: new Date().toISOString(), data: { n } } as unknown as Push);
  };
  const isSettled = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
  const points = (): number => series.state.columns.reduce((sum, column) => sum + column[8], 0);

  handlers.onSnapshot!([], true);
  return { series, answers, send, isSettled, points };
}

test("history that was asked for before is taken all the same, if it comes as far as what was let go of", async () => {
  const { series, answers, send, isSettled, points } = begin();

  await isSettled();
  send(25_000);
  answers[0]!(24_000);
  await isSettled();
  expect(series.state.state).toBe("live");
  expect(points()).toBe(25_001);
  series.close();
});

test("history that does not come as far is read again, however much comes meanwhile", async () => {
  const { series, answers, send, isSettled, points } = begin();

  await isSettled();
  for (let n = 0; n < 5; n++) {
    send(20_000); /* more than it keeps, in each pause */
    answers.at(-1)!(10 + n);
    const had = answers.length;
    for (let ms = 0; ms < 30_000 && answers.length === had; ms += 500) {
      await vi.advanceTimersByTimeAsync(500);
      send(500);
    }
    expect(answers.length).toBe(had + 1);
  }
  send(20_000);
  const all = points;
  answers.at(-1)!(100_000_000);
  await isSettled();
  expect(series.state.state).toBe("live");
  expect(all()).toBe(100_000_000);
  series.close();
});
