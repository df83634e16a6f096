/** A chart of which more comes than it keeps until its history is there. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Client } from "../src/client.js";
import { Series } from "../src/series.js";
import type { Filter, Handlers } from "../src/subscription.js";
import type { Push } from "../src/wire.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A gateway of which the test says what history it has, and when; live begins behind @from. */
function begin(from = 1) {
  const sub = { things: new Set(["device/3"]), cursor: `E:${from}`, unsubscribe: () => {} };
  const filters: Filter[] = [];
  const answers: ((upTo: number) => void)[] = [];
  let handlers: Handlers = {};
  const fetch = (): Promise<Response> => new Promise((resolve) => answers.push((upTo) => resolve(new Response(JSON.stringify({
    device_id: 3, member: "n", from: "", to: new Date().toISOString(), points: 800, step: 0, cursor: `E:${upTo}`,
    columns: [[Date.now() - 1000, 0, Date.now() - 1000, 0, Date.now() - 1000, 0, Date.now() - 1000, 0, upTo]],
  })))));
  const client = { fetch, subscribe: (filter: Filter, all: Handlers) => (filters.push(filter), (handlers = all), sub) } as unknown as Client;
  const series = new Series(client, { thing: "device/3", member: "n", window: 3_600_000 });
  let n = from;
  const send = (count: number): void => {
    for (const end = n + count; n < end;)
      handlers.onEvent!({ type: "telemetry", device_id: 3, cursor: `E:${++n}`, timestamp: new Date().toISOString(), data: { n } } as unknown as Push);
  };
  const isSettled = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
  const points = (): number => series.state.columns.reduce((sum, column) => sum + column[8], 0);

  handlers.onSnapshot!([], true);
  const again = (from: number): void => void (n = from); /* the next comes behind it */
  return { series, answers, filters, send, again, isSettled, points };
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

/** History is asked for and says that it is as far as @upTo, so often. */
async function answer(answers: ((upTo: number) => void)[], upTo: (i: number) => number, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    answers.at(-1)!(upTo(i));
    const had = answers.length;
    for (let ms = 0; ms < 60_000 && answers.length === had; ms += 500) await vi.advanceTimersByTimeAsync(500);
  }
}

test("where history stands still before live begins, what lies between is brought by the gateway, each point once", async () => {
  const { series, answers, filters, send, again, isSettled, points } = begin(1000);

  await isSettled();
  send(5); /* live, behind 1000: what came between history and that is missing */
  await answer(answers, () => 900, 10);
  expect(filters.at(-1)).toMatchObject({ to: ["device/3"], since: "E:900" });
  expect(filters).toHaveLength(2);
  expect(points()).toBe(900);
  again(900);
  send(105);
  expect(series.state.state).toBe("live");
  expect(points()).toBe(1005);
  series.close();
});

test("history that gets further, however slowly, is read until it has come as far as live begins", async () => {
  const { series, answers, filters, send, isSettled, points } = begin(1000);

  await isSettled();
  send(5);
  await answer(answers, (i) => 900 + i * 5, 20);
  answers.at(-1)!(1001);
  await isSettled();
  expect(filters).toHaveLength(1);
  expect(series.state.state).toBe("live");
  expect(points()).toBe(1005);
  series.close();
});
