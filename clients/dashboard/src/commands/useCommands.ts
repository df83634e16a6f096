/** Commands that were sent: those of the list, and what becomes of them while one looks. */
import type { CommandUpdate } from "@tidegate/client";
import { useClient, useEvents } from "@tidegate/client/react";
import { useEffect, useMemo, useState } from "react";
import { ask, useAsked, type Listing } from "../data/api";

export interface Sent {
  command_id: string;
  state: string;
  device_id: number;
  device_code: string | null;
  user: string | null;
  action: string;
  payload: unknown;
  message: string | null;
  created_at: string;
  updated_at: string;
}

export interface Shown extends Sent {
  /** What it went through while one looked, and at last what it is. */
  states: readonly string[];
}

const LIVE = 500;
const PAGE = 50;
/** What is sent by others is asked for so often at most, ms. */
const AGAIN_MS = 500;
export const LAST = ["done", "failed", "expired", "cancelled"];
const WAY = ["accepted", "published", "delivered", "executing"];

/** How far a command has come: no one goes back. */
const rankOf = (state: string): number => (LAST.includes(state) ? WAY.length : WAY.indexOf(state));

/** @return the newest first. What has come farther counts, the list or what came live: one may be behind the other. */
export function joined(sent: Iterable<Sent>, updates: readonly CommandUpdate[]): Shown[] {
  const told = new Map<string, CommandUpdate[]>();

  for (const update of updates) told.set(update.command_id, [...(told.get(update.command_id) ?? []), update]);
  return [...sent].map((one) => {
    const live = told.get(one.command_id) ?? [];
    const last = live.at(-1);
    const isNewer = last && !LAST.includes(one.state) && rankOf(last.state) >= rankOf(one.state);
    const states = [...new Set([...live.map(({ state }) => state), ...(isNewer ? [] : [one.state])])];
    return { ...one, state: isNewer ? last.state : one.state, message: (isNewer ? last.message : one.message) ?? null, states };
  }).sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at) || (b.command_id > a.command_id ? 1 : -1));
}

/** @param device its id or code, @param state: empty: any */
export function useCommands(device: string, state: string) {
  const client = useClient();
  const path = `api/commands?limit=${PAGE}${device && `&device_id=${encodeURIComponent(device)}`}${state && `&state=${state}`}`;
  const first = useAsked<Listing<Sent>>(path);
  const { events, gaps, ready } = useEvents({ to: ["device/*"], types: ["command_update"] }, LIVE);
  const updates = events as unknown as readonly CommandUpdate[];
  const [kept, setKept] = useState<{ path: string; sent: ReadonlyMap<string, Sent>; cursor: string | null }>({ path: "", sent: new Map(), cursor: null });
  const [failed, setFailed] = useState("");
  const isMine = kept.path === path;
  const newest = updates.at(-1);
  const gap = gaps.at(-1);

  const take = (page: Listing<Sent>, isNext: boolean): void => setKept((before) => {
    const isSame = before.path === path;
    const sent = new Map(isSame ? before.sent : []);
    for (const one of page.items) sent.set(one.command_id, one);
    return { path, sent, cursor: isSame && !isNext ? before.cursor : page.cursor };
  });
  // eslint-disable-next-line react-hooks/exhaustive-deps -- what is asked of another path is told of that
  useEffect(() => void (first.value && !first.isBusy && take(first.value, false)), [first.value, first.isBusy]);
  // What happened before the first update could come, or was lost, the list alone has.
  // eslint-disable-next-line react-hooks/exhaustive-deps -- once for each
  useEffect(() => void (ready && first.again()), [ready, gap]);
  useEffect(() => {
    if (!newest) return;
    const timer = setTimeout(first.again, AGAIN_MS);
    return () => clearTimeout(timer);
  // eslint-disable-next-line react-hooks/exhaustive-deps -- for each that comes
  }, [newest]);
  useEffect(() => client.onConnection((now) => now.state !== "connecting" && first.again()));
  const readOn = async (): Promise<void> => {
    setFailed("");
    try {
      take(await ask<Listing<Sent>>(client, `${path}&cursor=${encodeURIComponent(kept.cursor!)}`), true);
    } catch (error) {
      setFailed((error as Error).message);
    }
  };
  const commands = useMemo(() => joined(isMine ? kept.sent.values() : [], updates), [isMine, kept.sent, updates]);

  return {
    /** A state may change while one looks at those in it. */
    commands: state ? commands.filter((one) => one.state === state) : commands,
    hasOlder: isMine && kept.cursor !== null,
    isBusy: !isMine && !first.error,
    error: failed || first.error?.message || "",
    readOn,
  };
}
