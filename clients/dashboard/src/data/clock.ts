/** What time it is at the gateway: the clock of who looks may be wrong, and ages should not. */

let offsetMs = 0;
let isKnown = false;

/** The gateway has said its time. @param isCoarse to a second alone, as a Date header is */
export function heardTime(said: string | null | undefined, isCoarse = false): void {
  const at = Date.parse(said ?? "");

  if (Number.isNaN(at)) return;
  const found = at - Date.now() + (isCoarse ? 500 : 0);
  if (isCoarse && isKnown && Math.abs(found - offsetMs) < 1500) return; /* it is known better */
  offsetMs = found;
  isKnown = true;
}

export const now = (): number => Date.now() + offsetMs;
