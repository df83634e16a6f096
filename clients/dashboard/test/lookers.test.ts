/** A view that several look at: it begins with the first of them and ends with the last, in whichever order they go. */
import type { Client, Filter, Handlers, Push } from "@tidegate/client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { AlertView, type Shown } from "../src/alerts/book";
import { RecentView, type Placed, type Recent } from "../src/data/recent";

/** Longer than a view stays for somebody who comes back, ms. */
const LONG_MS = 1000;

/** One whose lists are empty. */
function gateway() {
  const open = new Set<Handlers>();
  const asked: Filter[] = [];
  const client = {
    subscribe(filter: Filter, handlers: Handlers) {
      asked.push(filter);
      open.add(handlers);
      return { ready: Promise.resolve(), unsubscribe: () => void open.delete(handlers) };
    },
    onConnection: () => () => {},
    fetch: async () => Response.json({ items: [], cursor: null }),
  } as unknown as Client;
  const say = (seq: number): void => open.forEach(({ onEvent }) => onEvent!(
    { type: "alert", cursor: `E:${seq}`, severity: "info", message: `${seq}`, timestamp: "2026-01-01T00:00:00Z" } as unknown as Push));

  return { client, asked, open, say };
}

const cursors = (items: readonly Placed[]): string[] => items.map(({ cursor }) => cursor);
const views = {
  "a list and what comes": (client: Client) => {
    const view = new RecentView<Placed>(client, "api/alerts", { to: ["alerts"] }, 10);
    return { ...view, shown: (): string[] => cursors((view.read() as Recent<Placed>).items) };
  },
  "the alerts": (client: Client) => {
    const view = new AlertView(client, "");
    return { ...view, shown: (): string[] => cursors(view.read().open as readonly Shown[]) };
  },
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe.each(Object.entries(views))("%s", (_, viewOf) => {
  function looked() {
    const { client, ...there } = gateway();
    const view = viewOf(client);
    const look = () => {
      const tell = vi.fn();
      return { tell, leave: view.subscribe(tell) };
    };

    return { ...there, look, shown: view.shown };
  }

  test("goes on for those who stay when the one who came first has left", async () => {
    const { asked, look, say, shown } = looked();
    const [first, second] = [look(), look()];

    await vi.advanceTimersByTimeAsync(LONG_MS);
    first.leave();
    await vi.advanceTimersByTimeAsync(LONG_MS);
    [first, second].forEach(({ tell }) => tell.mockClear());
    say(7);
    await vi.advanceTimersByTimeAsync(LONG_MS);
    expect(shown()).toEqual(["E:7"]);
    expect(second.tell).toHaveBeenCalled();
    expect(first.tell).not.toHaveBeenCalled();
    expect(asked.length).toBe(1);
  });

  test("ends with the last of them, and begins anew with who comes then", async () => {
    const { asked, look, open, say, shown } = looked();
    const [first, second] = [look(), look()];

    for (const one of [second, first]) {
      expect(open.size).toBe(1);
      one.leave();
    }
    await vi.advanceTimersByTimeAsync(LONG_MS);
    expect(open.size).toBe(0);
    const third = look();
    expect([open.size, asked.length]).toEqual([1, 2]);
    await vi.advanceTimersByTimeAsync(LONG_MS);
    third.tell.mockClear();
    say(7);
    await vi.advanceTimersByTimeAsync(LONG_MS);
    expect(third.tell).toHaveBeenCalled();
    expect(shown()).toEqual(["E:7"]);
  });

  test("is kept for who comes back at once", async () => {
    const { asked, look, say, shown } = looked();

    look().leave();
    look();
    await vi.advanceTimersByTimeAsync(LONG_MS);
    say(7);
    await vi.advanceTimersByTimeAsync(LONG_MS);
    expect(asked.length).toBe(1);
    expect(shown()).toEqual(["E:7"]);
  });
});
