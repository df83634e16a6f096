/**
 * A page that is open for long, at a rate at which anything that is kept would show: not part of the suite.
 *
 *   TIDEGATE_SOAK=10 TIDEGATE_BIN=… npx vitest run test/soak.test.ts        minutes; a gateway without sanitizers
 */
import { readFileSync } from "node:fs";
import type { CDPSession } from "playwright-core";
import { describe, expect, test } from "vitest";
import { useApp } from "./browser.js";
import { until, useStack } from "./stack.js";

const MINUTES = Number(process.env["TIDEGATE_SOAK"] ?? 0);
const RATE = Number(process.env["TIDEGATE_SOAK_RATE"] ?? 5000);
const WARM_UP_MS = 90_000; /* charts of a minute are full, the code is compiled */
const SAMPLE_MS = 15_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** The largest of the browser's processes that draw pages, MB. */
async function resident(browser: CDPSession): Promise<number> {
  const { processInfo } = await browser.send("SystemInfo.getProcessInfo");
  const sizes = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => {
    try {
      return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))![1]) / 1024;
    } catch {
      return 0;
    }
  });
  return Math.max(...sizes);
}

describe.runIf(MINUTES > 0)("for long", () => {
  const stack = useStack();
  const app = useApp(true);

  test(`memory is flat over ${MINUTES} minutes at ${RATE} events a second, with all hooks`, async () => {
    const { "USV-1": vehicle, "dev-1": device } = stack.where.ids;
    const token = await stack.act("token", { user: "ana", ttl: 36_000 });
    const page = await app.browser.newPage();
    await page.goto(`${app.url}#gateway=${encodeURIComponent(stack.where.straight)}&token=${token}&vehicle=${vehicle}&device=${device}`);
    await until(async () => (await page.locator("#state").innerText()) === "live websocket", "it is live");
    const cdp = await page.context().newCDPSession(page);
    const whole = await app.browser.newBrowserCDPSession();
    const heaps: number[] = [];
    const seen = (): Promise<number> => page.evaluate("window.seen");
    await cdp.send("Performance.enable");
    await stack.act("flood", { rate: RATE });
    await sleep(WARM_UP_MS);

    const [begin, first] = [Date.now(), await seen()];
    let [last, lastAt] = [first, begin];
    while (Date.now() - begin < MINUTES * 60_000) {
      await sleep(SAMPLE_MS);
      await cdp.send("HeapProfiler.collectGarbage");
      const { usedSize } = await cdp.send("Runtime.getHeapUsage");
      const { metrics } = await cdp.send("Performance.getMetrics");
      const of = (name: string): number => metrics.find((metric) => metric.name === name)!.value;
      const [now, nowAt] = [await seen(), Date.now()];
      heaps.push(usedSize / 2 ** 20);
      console.log(`${Math.round((Date.now() - begin) / 1000)} s: heap ${heaps.at(-1)!.toFixed(2)} MB, process ${(await resident(whole)).toFixed(0)} MB, `
        + `${of("Nodes")} nodes, ${of("JSEventListeners")} listeners, ${Math.round((1000 * (now - last)) / (nowAt - lastAt))} events/s; ${await page.locator("#wall").innerText()}`);
      [last, lastAt] = [now, nowAt];
    }
    const [early, late] = [median(heaps.slice(0, 8)), median(heaps.slice(-8))];
    console.log(`${last - first} events in ${Math.round((lastAt - begin) / 1000)} s; heap behind a collection: median ${early.toFixed(2)} MB of the first eight, ${late.toFixed(2)} MB of the last`);
    expect(late - early).toBeLessThan(2);
    await stack.act("flood", { rate: 0 });
    await page.close();
  }, (MINUTES + 10) * 60_000);
});
