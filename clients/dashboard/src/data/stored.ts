/** Is what is shown stored, too? While the database is away pushes say that they are not. */
import { useSyncExternalStore } from "react";

/** So long nothing unstored has come: it is back. */
const QUIET_MS = 5_000;
const listeners = new Set<() => void>();
let isAway = false;
let timer: ReturnType<typeof setTimeout> | undefined;

function set(value: boolean): void {
  if (isAway === value) return;
  isAway = value;
  for (const tell of listeners) tell();
}

/** Each page says what it hears. */
export function heardPush(push: { persisted?: boolean }): void {
  if (push.persisted !== false) return;
  clearTimeout(timer);
  timer = setTimeout(() => set(false), QUIET_MS);
  set(true);
}

const subscribe = (tell: () => void): (() => void) => {
  listeners.add(tell);
  return () => void listeners.delete(tell);
};

export const useUnstored = (): boolean => useSyncExternalStore(subscribe, () => isAway);
