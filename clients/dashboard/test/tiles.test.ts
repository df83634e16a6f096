/** Tiles of one file: a PMTiles archive, read by ranges, under the policy that the gateway serves. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { archive, PICTURES, rectangle, serveRanges, VECTORS } from "./archive";
import { colourAt, shoot, until, useDashboard } from "./stack";

const dashboard = useDashboard();
/** In the Sahara, beside the net of lines: without tiles there is land alone. */
const [LATITUDE, LONGITUDE] = [21.5, 12.5];
const LAND = [242, 239, 230];
const WATER = [207, 227, 236];
const RED = [255, 0, 0];
const RED_PIXEL = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC", "base64");

const open = async (): Promise<{ page: Page; said: string[] }> => {
  const opened = await dashboard.open();

  await dashboard.act("publish", { topic: "seano/USV-1/vehicle_log", payload: JSON.stringify({ latitude: LATITUDE, longitude: LONGITUDE, heading: 45 }) });
  await dashboard.signIn(opened.page, "ana");
  await opened.page.getByText("1 vehicle in view").waitFor();
  return opened;
};
const shows = (page: Page, colour: number[]) => until(async () => `${await colourAt(page, 1000, 650)}` === `${colour}`, `${colour} is seen there`);

test("without tiles there is land", async () => {
  const { page, said } = await open();

  await shows(page, LAND);
  expect(said).toEqual([]);
  await page.context().close();
});

test.each([
  ["vectors", archive(rectangle("water", 2100, 1600, 2400, 1900), VECTORS), WATER],
  ["pictures", archive(RED_PIXEL, PICTURES), RED],
])("an archive of %s is read by ranges, and drawn", async (what, file, colour) => {
  const tiles = await serveRanges(file);

  try {
    await dashboard.act("configure", { settings: { http__dashboard_hosts: tiles.origin, http__dashboard_tiles: `${tiles.origin}/region.pmtiles`, http__dashboard_attribution: "© Somebody" } });
    const { page, said } = await open();
    await shows(page, colour);
    await page.getByText("© Somebody").first().waitFor();
    expect(tiles.asked[0]).toBe("bytes=0-16383");
    expect(tiles.asked.length).toBeGreaterThan(1);
    expect(said).toEqual([]);
    await shoot(page, `tiles-${what}`);
    await page.context().close();
  } finally {
    tiles.end();
  }
});
