/** What is asked of the gateway by HTTP, through the client, which has the token. */
import type { Client } from "@tidegate/client";
import { useClient } from "@tidegate/client/react";
import { useEffect, useState } from "react";
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

/** JSON of a path below the gateway; rejects with Failed, whose message is for people. */
export async function ask<T>(client: Client, path: string, init: RequestInit = {}): Promise<T> {
  const sentAt = performance.now();
  let answer: Response;

  try {
    answer = await client.fetch(path, { cache: "no-store", credentials: "omit", ...init });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Failed(0, undefined, t("app.unreachable"));
  }
  heardSecond(answer.headers.get("Date"), sentAt);
  const body = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (answer.ok) return body as T;
  const { code, detail, title } = (body ?? {}) as { code?: string; detail?: string; title?: string };
  throw new Failed(answer.status, code, t("app.error", { status: answer.status, message: detail ?? title ?? "" }), detail);
}

export const send = <T>(client: Client, method: string, path: string, body?: unknown): Promise<T> =>
  ask<T>(client, path, { method, ...(body !== undefined && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }) });

export interface Asked<T> {
  value: T | undefined;
  error: Error | undefined;
  isBusy: boolean;
  again(): void;
}

/** What a path says; asked anew when it changes, and where `everyMs` is given by that. What was there stays until then. */
export function useAsked<T>(path: string | null, everyMs?: number): Asked<T> {
  const client = useClient();
  const [n, setN] = useState(0);
  const [told, setTold] = useState<Omit<Asked<T>, "again"> & { path: string | null }>(
    { path: null, value: undefined, error: undefined, isBusy: false });

  useEffect(() => {
    if (path === null) return;
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const run = async (): Promise<void> => {
      setTold((before) => ({ ...before, isBusy: true }));
      try {
        const value = await ask<T>(client, path, { signal: ended.signal });
        setTold({ path, value, error: undefined, isBusy: false });
      } catch (error) {
        if (ended.signal.aborted) return;
        setTold((before) => ({ ...before, path, error: error as Error, isBusy: false }));
      }
      if (everyMs && !ended.signal.aborted) timer = setTimeout(run, everyMs);
    };

    void run();
    return () => {
      clearTimeout(timer);
      ended.abort();
    };
  }, [client, path, everyMs, n]);
  const isMine = told.path === path;
  return {
    value: path === null ? undefined : told.value,
    error: isMine ? told.error : undefined,
    isBusy: path !== null && (told.isBusy || !isMine),
    again: () => setN((before) => before + 1),
  };
}

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
