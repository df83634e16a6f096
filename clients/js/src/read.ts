import type { Client } from "./client.js";

export interface Patience {
  /** So long it waits at the most, in all (5 s). 0: it asks once. */
  patience?: number;
}

const PATIENCE_MS = 5_000;
/** Who was told the same moment does not come back in the same moment: up to so much later, of what was said. */
const JITTER = 0.25;

/* Resolves early where there is no more reason to wait. */
const pause = (ms: number, signal: AbortSignal | null | undefined): Promise<void> =>
  new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });

/** How long an answer wants us to wait, ms: only one that says "not now", and when. */
function wanted({ status, headers }: Response): number | undefined {
  const seconds = headers.get("Retry-After") ?? "";

  return (status === 429 || status === 503) && /^\d+$/.test(seconds) ? Number(seconds) * 1000 : undefined;
}

/**
 * `client.fetch()` of what is only read (a GET). It is asked for again where the gateway says that it goes better soon: what
 * one may see has changed meanwhile, or too much is asked of it. What would take longer than `patience` is the answer.
 */
export async function read(client: Pick<Client, "fetch">, path: string, init: Omit<RequestInit, "method" | "body"> & Patience = {}): Promise<Response> {
  const { patience = PATIENCE_MS, ...rest } = init;

  for (let waited = 0; ; ) {
    const answer = await client.fetch(path, rest);
    const ms = (wanted(answer) ?? Infinity) * (1 + JITTER * Math.random());
    if (waited + ms > patience) return answer;
    await answer.body?.cancel();
    await pause(ms, rest.signal);
    rest.signal?.throwIfAborted();
    waited += Math.max(ms, 100); /* "0" is not for ever */
  }
}
