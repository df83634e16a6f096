/** What vehicles are called is asked for until it is known, whoever looks meanwhile. */
import type { Client } from "@tidegate/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Names } from "../src/data/names";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A gateway that is away, until it is not. */
function gateway() {
  const there = { isAway: true };
  const fetch = vi.fn(async () => {
    if (there.isAway) throw new TypeError("away");
    return Response.json({ items: [{ id: 7, code: "USV-7", name: null, is_active: true }], cursor: null });
  });

  return { there, fetch, names: new Names({ fetch } as unknown as Client) };
}

test("who looks again soon after it failed is told, too, once it goes better", async () => {
  const { there, names } = gateway();
  const tell = vi.fn();
  const leave = names.subscribe(() => {});

  await vi.advanceTimersByTimeAsync(1000);
  expect(names.isKnown).toBe(false);
  leave();
  names.subscribe(tell);
  there.isAway = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(tell).toHaveBeenCalled();
  expect([names.isKnown, names.of(7)]).toEqual([true, "USV-7"]);
});

test("it is asked for once in ten seconds at the most, and not while nobody looks", async () => {
  const { fetch, names } = gateway();
  const leaves = [names.subscribe(() => {}), names.subscribe(() => {})];

  for (let n = 0; n < 100; ++n) {
    names.of(n);
    await vi.advanceTimersByTimeAsync(295);
  }
  expect(fetch).toHaveBeenCalledTimes(3);
  for (const leave of leaves) leave();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(fetch).toHaveBeenCalledTimes(3);
});
