/** What is only read is asked for again where the gateway says that it goes better soon. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Client } from "../src/index.js";
import { read } from "../src/read.js";
import { readSeries } from "../src/series.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Told = [status: number, retryAfter: string | null];

/** A gateway that answers so, one after another, and then for ever as the last. */
function answering(...told: Told[]): { client: Client; asked: () => number } {
  let n = 0;
  const fetch = async (_: string, { signal }: RequestInit = {}): Promise<Response> => {
    signal?.throwIfAborted();
    const [status, after] = told[Math.min(n++, told.length - 1)]!;
    return new Response(status === 200 ? `{"items":[]}` : `{"code":"rights_changed","detail":"ask again"}`,
      { status, ...(after && { headers: { "Retry-After": after } }) });
  };

  return { client: { fetch } as unknown as Client, asked: () => n };
}

/** Time goes by until it is there. */
async function hurried<T>(promise: Promise<T>): Promise<T> {
  let isOver = false;

  promise.then(() => (isOver = true), () => (isOver = true));
  while (!isOver) await vi.advanceTimersByTimeAsync(100);
  return promise;
}

test.each([[503, "1"], [429, "2"], [503, "0"]])("an answer %i with Retry-After %s is asked for again, and the one behind it counts", async (status, after) => {
  const { client, asked } = answering([status, after], [status, after], [200]);

  expect((await hurried(read(client, "api/alerts"))).status).toBe(200);
  expect(asked()).toBe(3);
});

test("where it does not go better soon the last answer is the answer, with all that it says", async () => {
  const { client, asked } = answering([503, "1"]);
  const began = Date.now();
  const answer = await hurried(read(client, "api/alerts"));

  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ code: "rights_changed" });
  expect(Date.now() - began).toBeLessThanOrEqual(5_100);
  expect(asked()).toBeGreaterThan(3);
});

test.each<Told>([[503, null], [503, "60"], [503, "Wed, 21 Oct 2026 07:28:00 GMT"], [500, "1"], [404, "1"], [200, "1"]])(
  "an answer %i with Retry-After %s is the answer", async (status, after) => {
    const { client, asked } = answering([status, after], [200]);

    expect((await hurried(read(client, "api/alerts"))).status).toBe(status);
    expect(asked()).toBe(1);
  });

test("who has no patience is told at once", async () => {
  const { client, asked } = answering([503, "1"], [200]);

  expect((await hurried(read(client, "api/alerts", { patience: 0 }))).status).toBe(503);
  expect(asked()).toBe(1);
});

test("who goes away while it waits is told so, and nothing is asked any more", async () => {
  const { client, asked } = answering([503, "1"], [200]);
  const gone = new AbortController();
  const reading = read(client, "api/alerts", { signal: gone.signal });

  const refused = expect(reading).rejects.toMatchObject({ name: "AbortError" });
  await vi.advanceTimersByTimeAsync(500);
  gone.abort();
  await refused;
  expect(vi.getTimerCount()).toBe(0);
  expect(asked()).toBe(1);
});

test("a chart's history is asked for again, too", async () => {
  const { client, asked } = answering([503, "1"], [200]);

  await hurried(readSeries(client, { thing: "device/3", member: "power" }));
  expect(asked()).toBe(2);
});
