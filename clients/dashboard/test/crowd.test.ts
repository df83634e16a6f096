/** More vehicles than one can tell apart: clusters. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { CLUSTERS_ABOVE } from "../src/map/clusters";
import { shoot, stumbles, until, useDashboard } from "./stack";

const dashboard = useDashboard();
const MANY = CLUSTERS_ABOVE + 1000;
const TILE_PX = 26;

const inView = async (page: Page): Promise<number> => Number(/([\d,]+) vehicles? in view/.exec(await page.getByRole("complementary").first().innerText())?.[1]?.replace(",", "") ?? 0);
const scale = (page: Page) => page.locator(".maplibregl-ctrl-scale").innerText();

/** Of what is drawn above the map: where most of a square is filled, on the page. A vehicle fills less than half of one. */
const fullest = (page: Page) => page.evaluate((size) => {
  const canvas = document.querySelector<HTMLCanvasElement>("canvas[aria-hidden]")!;
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d")!.getImageData(0, 0, width, height);
  const box = canvas.getBoundingClientRect();
  let best = { part: 0, x: 0, y: 0 };

  for (let top = 100; top < height - 60; top += size >> 1)
    for (let left = 40; left < width - 340; left += size >> 1) {
      let [n, sumX, sumY] = [0, 0, 0];
      for (let y = top; y < top + size; ++y)
        for (let x = left; x < left + size; ++x) if (data[4 * (y * width + x) + 3]! > 128) [n, sumX, sumY] = [n + 1, sumX + x, sumY + y];
      if (n / size ** 2 > best.part) best = { part: n / size ** 2, x: box.x + sumX / n, y: box.y + sumY / n };
    }
  return best;
}, TILE_PX);

test(`more than ${CLUSTERS_ABOVE} vehicles are circles that open, until each is one, and one of them is found`, async () => {
  const { page, said } = await dashboard.open();

  await dashboard.act("fleet", { user: "root", n: MANY, rate: 1000 });
  await dashboard.signIn(page, "root");
  await until(async () => await inView(page) > 0, "some are there");
  await until(async () => {
    await page.getByRole("button", { name: "Whole fleet" }).click();
    return await inView(page) > CLUSTERS_ABOVE;
  }, "nearly all are there");
  const cursor = () => page.locator(".maplibregl-canvas").evaluate((canvas) => (canvas as HTMLElement).style.cursor);
  await until(async () => (await fullest(page)).part > 0.6, "there is a circle");
  await shoot(page, "crowd");
  expect(await stumbles(page)).toEqual([]);

  // A click on a circle is no click on a vehicle: it opens none, and goes nearer, until there are few enough.
  await until(async () => await inView(page) > CLUSTERS_ABOVE, "the view is as it was");
  let nClicks = 0;
  for (; await inView(page) > CLUSTERS_ABOVE; ++nClicks) {
    const before = await scale(page);
    const { x, y } = await fullest(page);
    await page.mouse.move(x, y);
    expect(await cursor()).toBe("pointer");
    await page.mouse.click(x, y);
    await until(async () => await scale(page) !== before, "it goes nearer");
    expect(page.url()).not.toMatch(/#\/map\/\d/);
    const tick = Date.now() + 2_500; // the number is said once a second
    await until(() => Date.now() > tick, "it says how many are in view");
  }
  expect(nClicks).toBeGreaterThan(0);
  expect(await inView(page)).toBeGreaterThan(0);
  await shoot(page, "crowd-nearer");

  const name = "sim-vehicle-4711";
  await page.getByRole("button", { name: "Whole fleet" }).click();
  await until(async () => await inView(page) > CLUSTERS_ABOVE, "all are in view again");
  await page.getByRole("searchbox", { name: "Find a vehicle" }).fill(name);
  await page.getByRole("button", { name }).click();
  await page.getByRole("complementary", { name }).getByRole("button", { name: "Follow" }).waitFor();
  await until(async () => await inView(page) <= CLUSTERS_ABOVE && await inView(page) > 0, "the map is where it is");
  expect(said).toEqual([]);
  await page.context().close();
});
