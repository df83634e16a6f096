import type { Client } from "./client.js";
import type { Filter, Missed } from "./subscription.js";
import type { Push } from "./wire.js";

export interface Bounds {
  /** So many wait for the reader at the most (1,000). */
  limit?: number;
  /** What gives way when there are more: the oldest; the newest; the older state of the same thing and type, else the oldest; or the stream, which ends
   * with an error. */
  policy?: "oldest" | "newest" | "same" | "end";
  signal?: AbortSignal;
}

const STATES = ["vehicle_log", "sensor_log", "telemetry", "device_update", "stats_update", "statistics_update"];

type Lost = { type: "gap" } & Missed;

const isLost = (one: Push | Lost | undefined): one is Lost => one?.type === ("gap" as string);

const sameAs = (one: Push | Lost, other: Push): boolean => {
  const ids = ["type", "vehicle_id", "device_id", "sensor_id"] as const;
  return ids.every((id) => (one as never)[id] === (other as never)[id]);
};

/** Two that meet, the older first: of where nobody knows there is nothing. */
const merged = (one: Missed, other: Missed): Lost => ({
  type: "gap",
  ...(one.subscription && { subscription: one.subscription }),
  dropped: one.dropped === null || other.dropped === null ? null : one.dropped + other.dropped,
  ...(one.from && { from: one.from }),
  ...(other.to && { to: other.to }),
});

/** Who is told, in order: pushes, at most @limit of them, and between them what was lost. */
class Waiting {
  #all: (Push | Lost)[] = [];
  #n = 0; /* of them pushes */

  get n(): number {
    return this.#n;
  }

  add(push: Push): void {
    this.#all.push(push);
    this.#n += 1;
  }

  /** Makes room for one that is newer of the same thing, where that is a state, of which the newest counts. */
  replaces(push: Push): boolean {
    if (!STATES.includes(push.type)) return false;
    const at = this.#all.findIndex((one) => sameAs(one, push));
    if (at < 0) return false;
    this.#all.splice(at, 1);
    this.#n -= 1;
    return true;
  }

  /** What is lost behind all that waits. */
  lose(missed: Missed): void {
    const last = this.#all.at(-1);
    if (isLost(last)) this.#all[this.#all.length - 1] = merged(last, missed);
    else this.#all.push({ type: "gap", ...missed });
  }

  loseOldest(): void {
    const gap = isLost(this.#all[0]) ? this.#all.shift() as Lost : { dropped: 0 };
    this.#all.shift();
    this.#n -= 1;
    const lost = merged(gap, { dropped: 1 });
    if (isLost(this.#all[0])) this.#all[0] = merged(lost, this.#all[0]);
    else this.#all.unshift(lost);
  }

  take(): Push | Lost | undefined {
    const one = this.#all.shift();
    if (one && !isLost(one)) this.#n -= 1;
    return one;
  }
}

/** Events for a reader that takes its time: `for await (const event of stream(client, { to: ["user"] }))`. What gave way,
 * and what the gateway has lost, comes as `{ type: "gap" }` in its place. */
export async function* stream(client: Client, filter: Filter, bounds: Bounds = {}): AsyncGenerator<Push | Lost> {
  const { limit: wanted = 1000, policy = "oldest", signal } = bounds;
  const limit = Math.max(1, wanted);
  const waiting = new Waiting();
  let failure: unknown;
  let isOver = false;
  let wake = (): void => {};

  const end = (error?: unknown): void => {
    isOver = true;
    failure ??= error;
    wake();
  };
  const take = (push: Push): void => {
    if (isOver) return;
    if (waiting.n >= limit && !(policy === "same" && waiting.replaces(push))) {
      if (policy === "end") return end(new Error("the reader is too slow"));
      if (policy === "newest") return waiting.lose({ dropped: 1 });
      waiting.loseOldest();
    }
    waiting.add(push);
    wake();
  };
  const abort = (): void => end();
  const sub = client.subscribe(filter, {
    onEvent: take,
    onGap: (missed) => (waiting.lose(missed), wake()),
    onRefused: end,
  });

  signal?.addEventListener("abort", abort);
  try {
    while (!signal?.aborted) {
      const one = waiting.take();
      if (one) yield one;
      else if (isOver) break;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
    if (failure) throw failure;
  } finally {
    signal?.removeEventListener("abort", abort);
    sub.unsubscribe();
  }
}
