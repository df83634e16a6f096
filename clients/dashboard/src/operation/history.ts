/** What the gateway has said of itself since somebody looks, for lines and for "since". It goes on while any page uses it. */
import type { Client } from "@tidegate/client";
import { useClient } from "@tidegate/client/react";
import { useSyncExternalStore } from "react";
import { askGateway, type Told } from "./gateway";

/** One point of each line; NaN: it did not answer. */
export interface Sample {
  at: number;
  received: number;
  stored: number;
  sent: number;
  lagSeconds: number;
  waiting: number;
  journalBytes: number;
  outbox: number;
  queuedBytes: number;
  connections: number;
  letters: number;
  lettered: number;
  shut: number;
  unshown: number;
  /** What is wrong or worth to know, as it names it. */
  wrong: readonly string[];
}

export type Line = Exclude<keyof Sample, "wrong">;

const EVERY_MS = 2_000;
export const MOST = 150; /* five minutes */

export function sampleOf({ stats, ready, metrics }: Told): Sample {
  return {
    at: Date.parse(stats.timestamp),
    received: stats.rates.received_per_second,
    stored: stats.rates.committed_per_second,
    sent: stats.rates.sent_per_second,
    lagSeconds: metrics.get("tidegate_db_lag_seconds") ?? NaN,
    waiting: stats.accounting.in_journal,
    journalBytes: stats.journal.bytes - (metrics.get("tidegate_journal_kept_bytes") ?? 0),
    outbox: stats.outbox.length,
    queuedBytes: stats.fanout.queued_bytes ?? NaN,
    connections: stats.active_connections,
    letters: metrics.get("tidegate_dead_letters") ?? NaN,
    lettered: stats.accounting.dead_lettered,
    shut: stats.fanout.closed_slow ?? 0,
    unshown: stats.outbox.dropped,
    wrong: [...ready.reasons ?? [], ...ready.notes ?? []],
  };
}

/** With one more, and not more than there is room for. */
export const added = (history: readonly Sample[], sample: Sample): Sample[] => [...history.slice(1 - MOST), sample];

/** Since when something is wrong, as far as it was seen; `isExact`: also its beginning was. */
export function since(history: readonly Sample[], name: string): { at: number; isExact: boolean } | undefined {
  let first = history.length;

  while (first > 0 && history[first - 1]!.wrong.includes(name)) first--;
  const found = history[first];
  return found && { at: found.at, isExact: first > 0 };
}

/** By how much a counter has grown in what is kept. One that has begun anew counts from nothing. */
export function growth(history: readonly Sample[], line: Line): number {
  let sum = 0;

  for (let n = 1; n < history.length; n++) {
    const [before, after] = [history[n - 1]![line], history[n]![line]];
    sum += after >= before ? after - before : after;
  }
  return sum;
}

export interface Watched {
  told: Told | undefined;
  history: readonly Sample[];
  error: Error | undefined;
}

export class Watch {
  #client: Client;
  #tell = new Set<() => void>();
  #ended: AbortController | undefined;
  #state: Watched = { told: undefined, history: [], error: undefined };

  constructor(client: Client) {
    this.#client = client;
  }

  readonly read = (): Watched => this.#state;

  readonly subscribe = (tell: () => void): (() => void) => {
    this.#tell.add(tell);
    if (!this.#ended) void this.#run((this.#ended = new AbortController()).signal);
    return () => {
      this.#tell.delete(tell);
      if (this.#tell.size) return;
      this.#ended?.abort();
      this.#ended = undefined;
    };
  };

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const told = await askGateway(this.#client, signal);
        this.#state = { told, history: added(this.#state.history, sampleOf(told)), error: undefined };
      } catch (error) {
        if (signal.aborted) return;
        this.#state = { ...this.#state, error: error as Error };
      }
      for (const tell of this.#tell) tell();
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }
}

const kept = new WeakMap<Client, Watch>();

function watchOf(client: Client): Watch {
  const found = kept.get(client) ?? new Watch(client);

  kept.set(client, found);
  return found;
}

export function useWatched(): Watched {
  const watch = watchOf(useClient());

  return useSyncExternalStore(watch.subscribe, watch.read);
}
