/** The first minute of a demo: where it is asked for, until it is skipped, and never again. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { shoot, stumbles, useDashboard } from "./stack";

const dashboard = useDashboard();
const tour = (page: Page) => page.getByRole("dialog");
const isSpoken = (page: Page) => page.evaluate(() => document.activeElement?.closest("[role=dialog]") !== null && document.activeElement?.tagName === "H2");

test("whoever comes by the demo's address is shown around by the keyboard alone, and once", async () => {
  const { page, said } = await dashboard.open();
  const titles: string[] = [];

  await dashboard.signIn(page, "ana", "#/?tour");
  for (let n = 1; n <= 6; ++n) {
    await tour(page).getByText(`A first look, ${n} of 6`).waitFor();
    await page.locator("[role=dialog] h2:focus").waitFor();
    expect(await isSpoken(page)).toBe(true);
    titles.push(await page.title());
    expect(await stumbles(page)).toEqual([]);
    if (n === 2) {
      await tour(page).getByRole("button", { name: "Back" }).press("Enter");
      await tour(page).getByText("A first look, 1 of 6").waitFor();
      await page.locator("[role=dialog] h2:focus").waitFor(); // once the page is there: a key before that is the heading's
      await tour(page).getByRole("button", { name: "Next" }).press("Enter");
      await tour(page).getByText("A first look, 2 of 6").waitFor();
      await page.locator("[role=dialog] h2:focus").waitFor();
    }
    if (n === 6) await shoot(page, "tour-playback");
    if (n < 6) await tour(page).getByRole("button", { name: "Next" }).press("Enter");
  }
  expect(titles).toEqual(["Map", "Devices", "Alerts", "People", "Cameras", "Playback"].map((title) => `${title} – Tidegate`));
  await tour(page).getByRole("button", { name: "Look around" }).press("Enter");
  await tour(page).waitFor({ state: "detached" });
  await page.goto(`${dashboard.url}#/?tour`);
  await page.reload();
  await page.getByRole("status").getByText("Live").waitFor();
  expect(await tour(page).count()).toBe(0);
  expect(said).toEqual([]);
  await page.context().close();
});

test.each(["Escape", "its button"])("by %s it is skipped for good, and the page has the focus", async (how) => {
  const { page, said } = await dashboard.open();

  await dashboard.signIn(page, "ana", "#/?tour");
  await tour(page).waitFor();
  if (how === "Escape") await page.keyboard.press("Escape");
  else await tour(page).getByRole("button", { name: "Skip the tour" }).click();
  await tour(page).waitFor({ state: "detached" });
  expect(await page.evaluate(() => document.activeElement?.id)).toBe("main");
  await page.reload();
  await page.getByRole("status").getByText("Live").waitFor();
  expect(await tour(page).count()).toBe(0);
  expect(said).toEqual([]);
  await page.context().close();
});

test("elsewhere nobody is shown around, and what is below it can be used meanwhile", async () => {
  const { page } = await dashboard.open();

  await dashboard.signIn(page, "ana");
  expect(await tour(page).count()).toBe(0);
  await page.goto(`${dashboard.url}#/?tour`);
  await page.reload();
  await tour(page).waitFor();
  await page.getByRole("searchbox", { name: "Find a vehicle" }).fill("usv-1");
  await page.getByRole("button", { name: "USV-1" }).waitFor();
  await shoot(page, "tour");
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await stumbles(page)).toEqual([]);
  await tour(page).getByRole("button", { name: "Next" }).click();
  await tour(page).getByText("A first look, 2 of 6").waitFor();
  const [box, nav] = await Promise.all([tour(page).boundingBox(), page.getByRole("navigation").boundingBox()]);
  expect(box!.y + box!.height).toBeLessThanOrEqual(nav!.y);
  await page.context().close();
});
