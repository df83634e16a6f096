/** Dead letters: which are of a group, and what became of those that were taken in again. */

export const FIELDS = ["reason", "route", "detail", "topic", "device"] as const;
export type Field = (typeof FIELDS)[number];

export interface Group {
  count: number;
  newest_id: number;
  first: string;
  last: string;
  reason?: string;
  route?: string | null;
  detail?: string | null;
  topic?: string;
  device?: string | null;
}

export interface Letter {
  id: number;
  received: string;
  reason: string;
  detail: string | null;
  topic: string;
  route: string | null;
  device: string | null;
  item: number | null;
  bytes: number;
  payload?: string;
  payload_base64?: string;
}

/** A detail is told, and cannot be asked for; nor can letters of no device. */
const CAN_ASK = ["reason", "route", "topic", "device"] as const;

/** What asks for the letters of a group, and maybe for more. @param from how long ago; empty: ever */
export function askFor(group: Group, from: string): URLSearchParams {
  const asked = new URLSearchParams(from && { from });

  for (const field of CAN_ASK) {
    const value = group[field];
    if (value !== undefined && !(field === "device" && value === null)) asked.set(field, value ?? "");
  }
  return asked;
}

/** How many letters that asks for, of all groups. */
export function howMany(groups: readonly Group[], group: Group): number {
  return groups
    .filter((other) => CAN_ASK.every((field) => group[field] === undefined || (field === "device" && group[field] === null) || other[field] === group[field]))
    .reduce((sum, { count }) => sum + count, 0);
}

export type States = Readonly<Record<string, number>>;

export interface Outcome {
  /** Stored, and no letters any more. */
  back: number;
  waiting: number;
  /** Letters again. */
  again: number;
}

/** What became of so many, by what was known of all before and is now. */
export function outcome(asked: number, before: States, after: States): Outcome {
  const of = (states: States, ...names: string[]): number => names.reduce((sum, name) => sum + (states[name] ?? 0), 0);
  const waiting = Math.min(asked, of(after, "waiting", "taken"));
  const back = Math.min(asked - waiting, Math.max(0, of(after, "stored", "gone") - of(before, "stored", "gone")));

  return { back, waiting, again: asked - waiting - back };
}
