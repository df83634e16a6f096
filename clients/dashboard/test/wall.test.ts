/** A page that is left open on a wall: tokens come and go, and nobody has to do anything until the session is over. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { until, useDashboard } from "./stack";

const dashboard = useDashboard();
const token = (page: Page) => page.evaluate(() => sessionStorage.getItem("tidegate.token"));

test("a page outlives its tokens, stays live meanwhile, and says so once its session is over", async () => {
  const { page } = await dashboard.open();

  await dashboard.act("configure", { settings: { auth__token_ttl: "20s", auth__session_max: "1h" } });
  await dashboard.signIn(page, "ana", `#/map/${dashboard.where.ids["USV-1"]}`);
  const seen = new Set([await token(page)]);
  await page.evaluate(() => {
    const light = document.querySelector("header [role=status]")!;
    (window as any).states = [];
    new MutationObserver(() => (window as any).states.push(light.textContent)).observe(light, { childList: true, subtree: true, characterData: true });
  });
  await until(async () => seen.add(await token(page)).size >= 3, "two more tokens have been fetched");
  expect(await page.evaluate(() => (window as any).states)).toEqual([]); // it was live all the time
  const card = page.getByRole("complementary", { name: "USV-1" });
  await dashboard.act("publish", { topic: "seano/USV-1/vehicle_log", payload: JSON.stringify({ latitude: 53.61, longitude: 9.9 }) });
  await card.getByText("53.61", { exact: true }).waitFor();

  await dashboard.act("configure", { settings: { auth__token_ttl: "20s", auth__session_max: "1s" } });
  await page.getByText("Your session has ended: please sign in again").waitFor();
  await page.context().close();
});

test("what was said in the evening has its day in the morning, though nothing has come meanwhile", async () => {
  const { page } = await dashboard.open();

  await dashboard.act("configure", { settings: { auth__token_ttl: "24h", auth__session_max: "48h" } });
  await dashboard.act("publish", { topic: "seano/USV-1/raw_log", payload: "moored for the night" });
  await page.clock.install();
  await dashboard.signIn(page, "ana", `#/map/${dashboard.where.ids["USV-1"]}`);
  const line = page.getByRole("listitem").filter({ hasText: "moored for the night" });
  await page.getByRole("tab", { name: "Log" }).click();
  await line.waitFor();
  expect(await line.innerText()).toMatch(/^\d\d:\d\d:\d\d/);
  await dashboard.act("kill"); // it would say that it is evening yet
  await page.clock.fastForward("13:00:00");
  await line.getByText(/^\d{1,2} \w+ \d{4}, \d\d:\d\d:\d\d/).waitFor();
  await dashboard.act("start");
  await page.context().close();
});
