/** What is asked of the gateway by HTTP, through the client, which has the token. */
import type { Client } from "@tidegate/client";
import { read, type Patience } from "@tidegate/client/read";
import { useClient } from "@tidegate/client/react";
import { useCallback, useEffect, useState } from "react";
import { t } from "../i18n";
import { heardSecond } from "./clock";

export class Failed extends Error {
  readonly status: number;
  readonly code: string | undefined;
  /** As the gateway has it. */
  readonly detail: string | undefined;

  constructor(status: number, code: string | undefined, message: string, detail?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.detail = detail;
  }
}

/** JSON of a path below the gateway; what is only read is asked for again where that goes better soon. Rejects with Failed,
 * whose message is for people. */
export async function ask<T>(client: Client, path: string, init: RequestInit & Patience = {}): Promise<T> {
  let sentAt = performance.now();
  let answer: Response;
  const fetch = (path: string, init?: RequestInit): Promise<Response> => {
    sentAt = performance.now();
    return client.fetch(path, init);
  };

  try {
    const all = { cache: "no-store", credentials: "omit", ...init } as const;
    answer = await (init.method ? fetch(path, all) : read({ fetch }, path, all));
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Failed(0, undefined, t("app.unreachable"));
  }
  heardSecond(answer.headers.get("Date"), sentAt);
  const body = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (answer.ok) return body as T;
  const { code, detail, title } = (body ?? {}) as { code?: string; detail?: string; title?: string };
  throw new Failed(answer.status, code, wordsOf(answer.status, code, detail ?? title), detail);
}

/** For people. */
export function wordsOf(status: number, code: string | undefined, detail = ""): string {
  if (status === 503 && code === "unavailable") return t("app.unavailable");
  return t("app.error", { status, message: detail });
}

export const send = <T>(client: Client, method: string, path: string, body?: unknown): Promise<T> =>
  ask<T>(client, path, { method, ...(body !== undefined && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }) });

export interface Asked<T> {
  value: T | undefined;
  error: Error | undefined;
  isBusy: boolean;
  again(): void;
}

/** What may have gone by itself is asked for again, ms. */
const RETRY_MS = 5_000;

/** May it go better without anybody doing something? */
const isPassing = (error: unknown): boolean => error instanceof Failed && (error.status === 0 || error.status === 429 || error.status >= 500);

/**
 * What @run says; asked anew when @key changes, where `everyMs` is given by that, and where it may go better by itself a
 * little later and when there is a connection again. What was there stays until then. @param key null: nothing is asked
 */
export function useFound<T>(key: string | null, run: (client: Client, signal: AbortSignal) => Promise<T>, everyMs?: number): Asked<T> {
  const client = useClient();
  const [n, setN] = useState(0);
  const [told, setTold] = useState<Omit<Asked<T>, "again"> & { key: string | null }>(
    { key: null, value: undefined, error: undefined, isBusy: false });

  useEffect(() => {
    if (key === null) return;
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isWaiting = false; /* for it to go better */
    const ask = async (): Promise<void> => {
      let nextMs = everyMs;

      clearTimeout(timer);
      isWaiting = false;
      setTold((before) => ({ ...before, isBusy: true }));
      try {
        const value = await run(client, ended.signal);
        if (!ended.signal.aborted) setTold({ key, value, error: undefined, isBusy: false });
      } catch (error) {
        if (ended.signal.aborted) return;
        setTold((before) => ({ ...before, key, error: error as Error, isBusy: false }));
        isWaiting = isPassing(error);
        if (isWaiting) nextMs = Math.min(everyMs ?? Infinity, RETRY_MS);
      }
      if (nextMs && !ended.signal.aborted) timer = setTimeout(ask, nextMs);
    };
    const stop = client.onConnection(({ state }) => isWaiting && state !== "connecting" && state !== "closed" && void ask());

    void ask();
    return () => {
      stop();
      clearTimeout(timer);
      ended.abort();
    };
  // eslint-disable-next-line react-hooks/exhaustive-deps -- key says all that run is made of
  }, [client, key, everyMs, n]);
  const isMine = told.key === key;
  return {
    value: key === null ? undefined : told.value,
    error: isMine ? told.error : undefined,
    isBusy: key !== null && (told.isBusy || !isMine),
    again: useCallback(() => setN((before) => before + 1), []),
  };
}

/** What a path says, likewise. */
export const useAsked = <T>(path: string | null, everyMs?: number): Asked<T> =>
  useFound<T>(path, (client, signal) => ask<T>(client, path!, { signal }), everyMs);

export interface Listing<T> {
  items: T[];
  cursor: string | null;
}

/** All pages of a list, up to so many items. */
export async function askAll<T>(client: Client, path: string, most: number, signal?: AbortSignal): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;

  do {
    const rest: string = `${path.includes("?") ? "&" : "?"}limit=1000${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`;
    const page: Listing<T> = await ask(client, path + rest, signal ? { signal } : {});
    items.push(...page.items);
    cursor = page.cursor;
  } while (cursor && items.length < most);
  return items;
}
