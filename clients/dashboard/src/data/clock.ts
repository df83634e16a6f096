/**
 * What time it is at the gateway: the clock of who looks may be wrong, and ages should not. It goes on by
 * performance.now(), which no mending of that clock moves; but which may stand still while a machine sleeps. So the
 * gateway is asked whenever the two go apart.
 */
import type { Client } from "@tidegate/client";
import { useClient } from "@tidegate/client/react";
import { useEffect } from "react";

const LOOK_MS = 1_000;
const APART_MS = 2_000;
const SECOND_MS = 1_000;
/** By so much a time that is known may be beside what is said. */
const SLACK_MS = 250;

let startedAt = Date.now() - performance.now(); /* at the gateway, when performance.now() was 0 */
let isKnown = false;

/** The gateway has said its time just now. */
export function heardTime(said: string | null | undefined): void {
  const at = Date.parse(said ?? "");

  if (Number.isNaN(at)) return;
  startedAt = at - performance.now();
  isKnown = true;
}

/** It has said the second, as a Date header does, between @sentAt (performance.now()) and now: what is known and agrees with that stays. */
export function heardSecond(said: string | null | undefined, sentAt: number): void {
  const least = Date.parse(said ?? "") - performance.now();
  const most = Date.parse(said ?? "") + SECOND_MS - sentAt;

  if (Number.isNaN(least) || (isKnown && startedAt > least - SLACK_MS && startedAt < most + SLACK_MS)) return;
  startedAt = (least + most) / 2;
  isKnown = true;
}

export const now = (): number => startedAt + performance.now();

async function askTime(client: Client): Promise<boolean> {
  const sentAt = performance.now();

  try {
    heardSecond((await client.fetch("livez", { cache: "no-store" })).headers.get("Date"), sentAt);
    return true;
  } catch {
    return false;
  }
}

/** Was a clock mended, or did the machine sleep? The gateway knows what time it is. */
export function useClockLook(): void {
  const client = useClient();

  useEffect(() => {
    const apart = (): number => Date.now() - performance.now();
    let known = apart();
    let isBusy = false;
    const look = async (): Promise<void> => {
      const found = apart();

      if (isBusy || Math.abs(found - known) < APART_MS) return;
      isBusy = true;
      if (await askTime(client)) known = found;
      isBusy = false;
    };
    const timer = setInterval(() => void look(), LOOK_MS);
    return () => clearInterval(timer);
  }, [client]);
}
