/** The servers of a test file (stack.py), and what waits for something to become true. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect } from "vitest";

export interface Where {
  /** By a network that can break. */
  url: string;
  straight: string;
  ids: Record<string, number>;
  mqtt: number;
}

export type Do = (what: string, args?: Record<string, unknown>) => Promise<any>;

const PATIENCE_MS = 60_000;

/** @param script a stack.py that can do more */
export async function startStack(script = new URL("stack.py", import.meta.url)): Promise<{ where: Where; act: Do; stop: () => Promise<void> }> {
  const child = spawn("/usr/bin/python3", [fileURLToPath(script)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<any> => {
    const { value, done } = await lines.next();
    if (done) throw new Error("the servers have ended");
    return JSON.parse(value);
  };
  const where = await next() as Where;
  let last: Promise<unknown> = Promise.resolve();
  const act: Do = (what, args = {}) => {
    const answer = last.then(async () => {
      child.stdin.write(`${JSON.stringify({ do: what, ...args })}\n`);
      const { value, error } = await next();
      if (error) throw new Error(`${what}: ${error}`);
      return value;
    });
    last = answer.catch(() => {});
    return answer;
  };
  const stop = async (): Promise<void> => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.stdin.end();
    await ended;
  };
  return { where, act, stop };
}

/** One for the tests of a file. */
export function useStack(): { readonly where: Where; act: Do } {
  let stack: Awaited<ReturnType<typeof startStack>> | undefined;

  beforeAll(async () => void (stack = await startStack()), 2 * PATIENCE_MS);
  afterAll(() => stack?.stop(), PATIENCE_MS);
  return {
    get where() {
      return stack!.where;
    },
    act: (what, args) => stack!.act(what, args),
  };
}

export async function until<T>(what: () => T | Promise<T>, why = "it became true"): Promise<T> {
  const end = Date.now() + PATIENCE_MS;

  for (;;) {
    const value = await what();
    if (value) return value;
    if (Date.now() > end) expect.fail(`never: ${why}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A vehicle's message, numbered. */
export const log = (n: number): string =>
  JSON.stringify({ latitude: 1 + n / 1e5, longitude: 2, heading: n % 360, timestamp: new Date().toISOString() });
