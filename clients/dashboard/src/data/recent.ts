/** A list and what comes as one: the newest items, each once, and nothing missing between them. */
import type { Client, Filter, Push } from "@tidegate/client";
import { Shared, useClient } from "@tidegate/client/react";
import { useMemo, useSyncExternalStore } from "react";
import { ask, type Listing } from "./api";
import { compare, heardPush, onStored, placeOf } from "./stored";

export interface Placed {
  cursor: string;
  number?: string;
  timestamp: string | null;
}

export interface Recent<T> {
  /** The newest first. */
  items: readonly T[];
  isBusy: boolean;
  /** What is shown of the past may lack something: it is asked for again. */
  error: Error | undefined;
}

const SOON_MS = 50;
const RETRY_MS = 5_000;

/** Each once, the newest first, so many of them. */
export function merged<T extends Placed>(most: number, ...lists: (readonly T[])[]): T[] {
  const all = new Map(lists.flat().map((one) => [placeOf(one), one]));

  return [...all.values()].sort(compare).slice(0, most);
}

/**
 * It subscribes, and reads once nothing can be missed any more; and again behind a gap, and when what was not stored is.
 * What is there already is shown meanwhile, as far as it goes without a hole.
 */
export class RecentView<T extends Placed> extends Shared<Recent<T>> {
  #client: Client;
  #path: string;
  #filter: Filter;
  #most: number;
  #stored: readonly T[] = [];
  #live: readonly T[] = []; /* behind the last gap, or from the beginning on */
  #error: Error | undefined;
  #shown: Recent<T> = { items: [], isBusy: true, error: undefined };
  #ends: (() => void)[] = [];
  #reading: AbortController | undefined;
  #soon: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Client, path: string, filter: Filter, most: number) {
    super();
    this.#client = client;
    this.#path = path;
    this.#filter = filter;
    this.#most = most;
  }

  readonly read = (): Recent<T> => this.#shown;

  protected begin(): void {
    const again = (): void => void this.#ask();
    const sub = this.#client.subscribe(this.#filter, {
      onEvent: (push) => this.#take(push),
      onGap: () => {
        [this.#stored, this.#live] = [merged(this.#most, this.#stored, this.#live), []];
        again();
      },
      onRefused: (error) => this.#fail(error),
    });

    this.#ends = [() => sub.unsubscribe(), onStored(again)];
    again();
    sub.ready.then(again, () => {});
  }

  protected end(): void {
    for (const end of this.#ends.splice(0)) end();
    this.#reading?.abort();
    clearTimeout(this.#retry);
    clearTimeout(this.#soon);
    [this.#stored, this.#live, this.#soon] = [[], [], undefined];
    this.#shown = { items: [], isBusy: true, error: undefined };
  }

  #take(push: Push): void {
    heardPush(push as never);
    this.#live = [push as unknown as T, ...this.#live].slice(0, 2 * this.#most);
    this.#soon ??= setTimeout(() => this.#change(), SOON_MS);
  }

  async #ask(): Promise<void> {
    const reading = new AbortController();

    this.#reading?.abort();
    this.#reading = reading;
    clearTimeout(this.#retry);
    try {
      const { items } = await ask<Listing<T>>(this.#client, this.#path, { signal: reading.signal });
      if (reading.signal.aborted) return;
      this.#stored = items;
      this.#error = undefined;
      this.#change();
    } catch (error) {
      if (reading.signal.aborted) return;
      this.#fail(error as Error);
      this.#retry = setTimeout(() => void this.#ask(), RETRY_MS);
    }
  }

  #fail(error: Error): void {
    this.#error = error;
    this.#change();
  }

  /* Where what has come fills it, there may be a hole behind that. */
  #change(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    this.#shown = {
      items: merged(this.#most, this.#live.length < this.#most ? this.#stored : [], this.#live),
      isBusy: false,
      error: this.#error,
    };
    this.changed();
  }
}

/** @param filter and path: of the same things; the list has the newest first. @param most as many as are kept; the list has no more */
export function useRecent<T extends Placed>(path: string, filter: Filter, most: number): Recent<T> {
  const client = useClient();
  const key = JSON.stringify([path, filter, most]);
  // eslint-disable-next-line react-hooks/exhaustive-deps -- key says all that it is made of
  const view = useMemo(() => new RecentView<T>(client, path, filter, most), [client, key]);

  return useSyncExternalStore(view.subscribe, view.read);
}
