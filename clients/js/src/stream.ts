import type { Client } from "./client.js";
import type { Filter, Missed } from "./subscription.js";
import type { Push } from "./wire.js";

export interface Bounds {
  /** So many wait for the reader at the most (1,000). */
  limit?: number;
  /** What gives way when there are more: the oldest; the newest; the older of the same thing and type; or the stream, which ends
   * with an error. */
  policy?: "oldest" | "newest" | "same" | "end";
  signal?: AbortSignal;
}

const sameAs = (one: Push, other: Push): boolean => {
  const ids = ["type", "vehicle_id", "device_id", "sensor_id"] as const;
  return ids.every((id) => (one as never)[id] === (other as never)[id]);
};

/** Events for a reader that takes its time: `for await (const event of stream(client, { to: ["user"] }))`. What gave way,
 * and what the gateway has lost, comes as `{ type: "gap" }` in its place. */
export async function* stream(client: Client, filter: Filter, bounds: Bounds = {}): AsyncGenerator<Push | ({ type: "gap" } & Missed)> {
  const { limit = 1000, policy = "oldest", signal } = bounds;
  const waiting: Push[] = [];
  let gap: Missed | undefined;
  let failure: unknown;
  let isOver = false;
  let wake = (): void => {};

  const lose = (missed: Missed): void => {
    const dropped = missed.dropped === null || gap?.dropped === null ? null : (gap?.dropped ?? 0) + missed.dropped;
    gap = { ...gap, ...missed, dropped };
  };
  const end = (error?: unknown): void => {
    isOver = true;
    failure ??= error;
    wake();
  };
  const take = (push: Push): void => {
    const older = policy === "same" ? waiting.findIndex((one) => sameAs(one, push)) : -1;

    if (older >= 0) {
      waiting.splice(older, 1);
    } else if (waiting.length >= limit) {
      lose({ dropped: 1 });
      if (policy === "end") return end(new Error("the reader is too slow"));
      if (policy === "newest") return;
      waiting.shift();
    }
    waiting.push(push);
    wake();
  };
  const sub = client.subscribe(filter, { onEvent: take, onGap: (missed) => (lose(missed), wake()), onRefused: end });

  signal?.addEventListener("abort", () => end(), { once: true });
  try {
    for (;;) {
      if (gap) {
        const told = gap;
        gap = undefined;
        yield { type: "gap", ...told };
      }
      while (!gap && waiting.length > 0) yield waiting.shift()!;
      if (isOver || signal?.aborted) break;
      if (!gap) await new Promise<void>((resolve) => (wake = resolve));
    }
    if (failure) throw failure;
  } finally {
    sub.unsubscribe();
  }
}
