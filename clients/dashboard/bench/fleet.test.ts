/**
 * How many frames a second the map draws of 10,000 vehicles that move 5,000 times a second, and whether its memory stays
 * as it is: `npm run bench`, on a machine with nothing else to do, with TIDEGATE_BIN a release. Prints a line of JSON for
 * each half minute, with the CPU a frame of each sort of Chromium's processes and, after a collection, the heap and how many nodes and listeners there are, and asserts nothing about time. MINUTES
 * (10), VEHICLES (10000), RATE (5000) are the environment's.
 */
import { expect, test } from "vitest";
import { shoot, until, useDashboard } from "../test/stack";

const { MINUTES = "10", VEHICLES = "10000", RATE = "5000" } = process.env;
const LAP_MS = 30_000;

const dashboard = useDashboard();

test("a large fleet moves", { timeout: (Number(MINUTES) + 5) * 60_000 }, async () => {
  const { page } = await dashboard.open();
  const session = await page.context().newCDPSession(page);
  const system = await page.context().browser()!.newBrowserCDPSession();
  /** Seconds of CPU that the browser has had so far, by sort of process. */
  const cpu = async (): Promise<Record<string, number>> => {
    const { processInfo } = await system.send("SystemInfo.getProcessInfo");
    const by: Record<string, number> = {};
    for (const { type, cpuTime } of processInfo) by[type] = (by[type] ?? 0) + cpuTime;
    return by;
  };
  const laps = Math.max(1, Math.round(Number(MINUTES) * 60_000 / LAP_MS));

  await dashboard.act("fleet", { user: "root", n: Number(VEHICLES), rate: Number(RATE) });
  await dashboard.signIn(page, "root");
  await until(async () => Number(/([\d,]+) vehicles in view/.exec(await page.getByRole("complementary").innerText())?.[1]?.replace(",", "")) > 0.9 * Number(VEHICLES),
    "the fleet is there");
  await page.evaluate(() => {
    const count = (): void => {
      (window as any).drawn = ((window as any).drawn ?? 0) + 1;
      requestAnimationFrame(count);
    };
    count();
  });
  for (let lap = 0; lap < laps; lap += 1) {
    const before = { at: performance.now(), stored: await dashboard.act("metric", { name: "tidegate_committed_total" }), frames: await page.evaluate(() => (window as any).drawn), cpu: await cpu() };
    await page.waitForTimeout(LAP_MS);
    const frames = await page.evaluate(() => (window as any).drawn) - before.frames;
    const stored = await dashboard.act("metric", { name: "tidegate_committed_total" }) - before.stored;
    const seconds = (performance.now() - before.at) / 1000;
    const after = await cpu();
    const cpuMsPerFrame = Object.fromEntries(Object.entries(after).map(([type, s]) => [type, +((s - (before.cpu[type] ?? 0)) * 1000 / frames).toFixed(1)]));
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    const { nodes, jsEventListeners: listeners } = await session.send("Memory.getDOMCounters");
    console.log(JSON.stringify({ lap, framesPerSecond: +(frames / seconds).toFixed(1), storedPerSecond: Math.round(stored / seconds), cpuMsPerFrame, heapMB: +(usedSize / 1e6).toFixed(1), nodes, listeners }));
  }
  await shoot(page, "fleet");
  expect(await page.evaluate(() => (window as any).drawn)).toBeGreaterThan(0);
  await page.context().close();
});
