/** What vehicles are called: live says their numbers alone. */
import type { Client } from "@tidegate/client";
import { useClient } from "@tidegate/client/react";
import { useSyncExternalStore } from "react";
import { askAll } from "./api";

export interface Vehicle {
  id: number;
  code: string;
  name: string | null;
  is_active: boolean;
}

const MOST = 50_000;
const AGAIN_MS = 10_000;

export class Names {
  #client: Client;
  #tell = new Set<() => void>();
  #vehicles: ReadonlyMap<number, Vehicle> = new Map();
  #askedAt = -Infinity;
  #isBusy = false;
  #isKnown = false;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Client) {
    this.#client = client;
  }

  readonly subscribe = (tell: () => void): (() => void) => {
    this.#tell.add(tell);
    if (this.#vehicles.size === 0) void this.#read();
    return () => {
      this.#tell.delete(tell);
      if (this.#tell.size === 0) this.#stop();
    };
  };

  readonly read = (): ReadonlyMap<number, Vehicle> => this.#vehicles;

  /** They have been read; before, one that is missing may only not be known yet. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Its name, or code, or number; one that is not known is asked for, all together and not too often. */
  of(id: number): string {
    const found = this.#vehicles.get(id);

    if (!found) void this.#read();
    return found?.name || found?.code || `#${id}`;
  }

  async #read(): Promise<void> {
    const waitMs = this.#askedAt + AGAIN_MS - performance.now();

    if (this.#isBusy) return;
    if (waitMs > 0) return void (this.#vehicles.size === 0 && this.#later(waitMs));
    this.#stop();
    this.#isBusy = true;
    this.#askedAt = performance.now();
    try {
      const all = await askAll<Vehicle>(this.#client, "api/vehicles", MOST);
      this.#vehicles = new Map(all.map((one) => [one.id, one]));
      this.#isKnown = true;
      for (const tell of this.#tell) tell();
    } catch {
      // numbers stand for them until it goes better
      this.#later(AGAIN_MS);
    } finally {
      this.#isBusy = false;
    }
  }

  /* Only for who looks. */
  #later(ms: number): void {
    if (this.#tell.size > 0) this.#retry ??= setTimeout(() => (this.#stop(), void this.#read()), ms);
  }

  #stop(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }
}

const kept = new WeakMap<Client, Names>();

export function namesOf(client: Client): Names {
  const found = kept.get(client) ?? new Names(client);

  kept.set(client, found);
  return found;
}

/** Drawn anew when they are there. */
export function useNames(): Names {
  const names = namesOf(useClient());

  useSyncExternalStore(names.subscribe, names.read);
  return names;
}
