/**
 * Is what is shown stored, too? While the database is away pushes say that they are not. They are stored in the order of
 * their places, so that one that is stored, or a list that has it, tells of all before it.
 */
import type { Client } from "@tidegate/client";
import { useClient } from "@tidegate/client/react";
import { useEffect, useSyncExternalStore } from "react";
import { ask, type Listing } from "./api";

export interface Heard {
  type?: string;
  vehicle_id?: number | null;
  device_id?: number | null;
  cursor?: string;
  number?: string;
  persisted?: boolean;
}

interface Timed {
  timestamp: string | null;
}

/** What was shown and is not stored is looked for so often, ms. */
const LOOK_MS = 2_000;
/** What no list has that the database could answer for so long was not taken: a dead letter, say, ms. */
const GIVEN_UP_MS = 60_000;

const listeners = new Set<() => void>();
let last: Heard | undefined; /* of what is not stored */
let upTo = ""; /* all up to it is */
let answeredSince: number | undefined;

/** Its own place on the number line, by which it is the same in a list and as it came. */
export const placeOf = ({ number, cursor }: Heard): string => number ?? cursor ?? "";

/** Of two places: is the one behind the other? Another line is another journal, and of the one before there is no more to come. */
export function isBehind(one: string, other: string): boolean {
  const [[line, a = ""], [otherLine, b = ""]] = [one.split(":"), other.split(":")] as [string[], string[]];

  return line === otherLine && (a.length - b.length || (a > b ? 1 : a < b ? -1 : 0)) > 0;
}

/** The newest first: by the place on the number line; another line is another time. */
export function compare(one: Heard & Timed, other: Heard & Timed): number {
  const [a, b] = [placeOf(one), placeOf(other)];

  if (a.split(":")[0] !== b.split(":")[0]) return Date.parse(other.timestamp ?? "") - Date.parse(one.timestamp ?? "");
  return isBehind(b, a) ? 1 : isBehind(a, b) ? -1 : 0;
}

function stored(place: string): void {
  if (!last || !place || isBehind(placeOf(last), place)) return;
  upTo = placeOf(last);
  last = undefined;
  answeredSince = undefined;
  for (const tell of listeners) tell();
}

/** Each page says what it hears. */
export function heardPush(push: Heard): void {
  if (push.persisted !== false) return stored(push.persisted ? placeOf(push) : "");
  if (!isUnstored(push) || (last && !isBehind(placeOf(push), placeOf(last)))) return;
  const isNews = !last;
  last = push;
  if (isNews) for (const tell of listeners) tell();
}

/** It said that it was not stored, and is not yet. */
export function isUnstored(push: Heard): boolean {
  const isPassed = upTo.split(":")[0] === placeOf(push).split(":")[0] && !isBehind(placeOf(push), upTo);

  return push.persisted === false && !isPassed;
}

/* A list whose newest item tells; of other kinds the database tells only that it answers. */
function pathOf({ type, vehicle_id: vehicle, device_id: device }: Heard): string {
  if (vehicle) return `api/vehicles/${vehicle}/logs?limit=1`;
  if (device && type === "telemetry") return `api/devices/${device}/telemetry?limit=1`;
  return "api/alerts?limit=1";
}

async function look(client: Client): Promise<void> {
  if (!last) return;
  const sought = last;
  try {
    const { items: [newest] } = await ask<Listing<Heard>>(client, pathOf(sought), { patience: 0 });
    const now = performance.now();
    answeredSince ??= now;
    if (newest?.cursor && !isBehind(placeOf(sought), newest.cursor)) stored(placeOf(sought));
    else if (now - answeredSince > GIVEN_UP_MS) stored(placeOf(last ?? sought));
  } catch {
    answeredSince = undefined;
  }
}

const subscribe = (tell: () => void): (() => void) => {
  listeners.add(tell);
  return () => void listeners.delete(tell);
};

/** When all that was shown is stored: lists have it then. @return what ends it */
export const onStored = (run: () => void): (() => void) => subscribe(() => last || run());

/** Until all that was shown is stored. */
export const useUnstored = (): boolean => useSyncExternalStore(subscribe, () => last !== undefined);

/** Looks for it, while there is something. */
export function useStoredLook(): void {
  const client = useClient();
  const isAway = useUnstored();

  useEffect(() => {
    if (!isAway) return;
    const timer = setInterval(() => void look(client), LOOK_MS);
    return () => clearInterval(timer);
  }, [client, isAway]);
}
