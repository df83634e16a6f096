/** Alerts, commands, and what was. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { shoot, stumbles, until, useDashboard } from "./stack";

const dashboard = useDashboard();
const SCRIPT = `<img src=x onerror="document.title='broken'">`;
const alert = (topic: string, payload: object) => dashboard.act("publish", { topic, payload: JSON.stringify(payload) });

test("alerts are there, the newest first, come by themselves, and are text", async () => {
  const { page, said } = await dashboard.open();

  await alert("seano/USV-1/alert", { severity: "critical", alert_type: "GPS", message: "No fix for 30 s", source: "gps0" });
  await until(async () => await dashboard.act("metric", { name: "tidegate_committed_total" }) > 0, "it is stored");
  await dashboard.signIn(page, "ana", "#/alerts");
  await page.getByRole("heading", { name: "No fix for 30 s" }).waitFor();
  await alert("devices/dev-1/alert", { severity: "warning", alert_type: SCRIPT, message: SCRIPT });
  await page.getByRole("heading", { name: SCRIPT }).waitFor();
  await page.getByRole("link", { name: "dev-1" }).waitFor();
  expect(await page.getByRole("heading", { level: 3 }).allInnerTexts()).toEqual([SCRIPT, "No fix for 30 s"]);
  await page.reload();
  await page.getByRole("heading", { name: SCRIPT }).waitFor();
  await shoot(page, "alerts");
  await page.getByLabel("Severity").selectOption("critical");
  await page.getByRole("heading", { name: SCRIPT }).waitFor({ state: "detached" });
  expect(await page.title()).toBe("Alerts – Tidegate");
  expect(await stumbles(page)).toEqual([]);
  expect(said).toEqual([]);
  await page.context().close();
});

test("who acknowledges an alert is seen by all who see it, at once and after a reload; a viewer has no button", async () => {
  const [watch, wall, viewer] = [await dashboard.open(), await dashboard.open(), await dashboard.open()];
  const open = (page: Page) => page.getByRole("list", { name: "Unacknowledged", exact: true }).getByRole("listitem");
  const done = (page: Page) => page.getByRole("list", { name: "Acknowledged", exact: true }).getByRole("listitem");

  await dashboard.act("viewer", { name: "vera", of: "USV-1" });
  for (const message of ["Low battery", "Hatch open"])
    await alert("seano/USV-1/alert", { severity: "warning", alert_type: "BOAT", message });
  await dashboard.signIn(watch.page, "ana", "#/alerts");
  await dashboard.signIn(wall.page, "root", "#/alerts");
  await dashboard.signIn(viewer.page, "vera", "#/alerts");
  for (const { page } of [watch, wall, viewer]) await open(page).filter({ hasText: "Hatch open" }).waitFor();
  expect(await viewer.page.getByRole("button", { name: /^Acknowledge/ }).count()).toBe(0);
  await watch.page.getByRole("button", { name: "Acknowledge: Low battery" }).click();
  for (const { page } of [watch, wall, viewer]) {
    await done(page).filter({ hasText: "Low battery" }).getByText(/^Acknowledged by ana, \d/).waitFor();
    expect(await open(page).filter({ hasText: "Low battery" }).count()).toBe(0);
    expect(await open(page).filter({ hasText: "Hatch open" }).count()).toBe(1);
  }
  expect(await watch.page.evaluate(() => document.activeElement?.textContent)).toContain("Unacknowledged");
  await wall.page.reload();
  await done(wall.page).getByText(/^Acknowledged by ana/).waitFor();
  await shoot(watch.page, "alerts-acknowledged");
  await shoot(viewer.page, "alerts-viewer");
  for (const { page, said } of [watch, wall, viewer]) {
    expect(await stumbles(page)).toEqual([]);
    expect(said).toEqual([]);
    await page.context().close();
  }
});

test("a right that is gone is told at the alert, and what nobody told of is in the list", async () => {
  const { page } = await dashboard.open();

  await alert("seano/USV-1/alert", { severity: "info", alert_type: "BOAT", message: "Anchor up" });
  await dashboard.signIn(page, "ana", "#/alerts");
  const button = page.getByRole("button", { name: "Acknowledge: Anchor up" });
  await button.waitFor();
  await page.route("**/acknowledge", (route) => route.fulfill({ status: 403, contentType: "application/problem+json", body: `{"status":403,"code":"forbidden"}` }));
  await button.click();
  await page.getByRole("alert").getByText("That is not yours to do").waitFor();
  await dashboard.act("kill");
  await page.getByRole("status").getByText("Connecting").waitFor();
  await dashboard.act("acknowledge", { message: "Anchor up", user: "root" });
  await dashboard.act("start");
  await page.getByText(/^Acknowledged by root/).waitFor();
  await page.context().close();
});

test("what becomes of a command is seen by who gave it and by who owns the device, and after a reload", async () => {
  const { page: giver } = await dashboard.open();
  const { page: owner } = await dashboard.open();

  await dashboard.signIn(owner, "ana", "#/commands");
  await owner.getByText("No command has been sent yet").waitFor();
  await dashboard.signIn(giver, "root", "#/commands");
  await giver.getByLabel("Device", { exact: true }).fill("dev-1");
  await giver.getByLabel("Action").fill("BLINK");
  await giver.getByLabel("Payload (JSON)").fill(`{"times": 3}`);
  await giver.getByRole("button", { name: "Send" }).click();
  for (const page of [giver, owner]) {
    await page.getByRole("heading", { name: "BLINK" }).waitFor();
    await page.getByRole("listitem").getByText("published").waitFor();
  }
  await giver.getByLabel("Device", { exact: true }).fill("dev-2");
  await giver.getByLabel("Action").fill("STOP");
  await giver.getByRole("button", { name: "Send" }).click();
  await giver.getByRole("heading", { name: "STOP" }).waitFor();
  expect(await owner.getByRole("heading", { name: "STOP" }).count()).toBe(0);
  for (const page of [giver, owner]) {
    await page.reload();
    await page.getByRole("listitem").filter({ hasText: "BLINK" }).getByText("by root").waitFor();
    await page.getByText(`{"times":3}`).first().waitFor();
  }
  await shoot(giver, "commands");
  await giver.getByLabel("Of which device").selectOption("dev-1");
  await giver.getByRole("heading", { name: "STOP" }).waitFor({ state: "detached" });
  await giver.getByRole("heading", { name: "BLINK" }).waitFor();
  await giver.getByLabel("In which state").selectOption("done");
  await giver.getByText("No command is like that").waitFor();
  expect(await stumbles(giver)).toEqual([]);
  for (const page of [giver, owner]) await page.context().close();
});

test("the fleet is played as it was, held, and goes on into what is live", async () => {
  const { page, said } = await dashboard.open();

  await dashboard.act("vessels", { user: "ben" });
  await until(async () => await dashboard.act("metric", { name: "tidegate_committed_total" }) > 400, "there is something to play");
  await dashboard.signIn(page, "ben", "#/playback");
  await page.getByLabel("How fast").selectOption("100 ×");
  await page.getByText(/^[1-9]\d* vehicles? in view/).waitFor({ timeout: 60_000 });
  await page.getByLabel("How fast").selectOption("1 ×");
  const at = page.getByRole("slider");
  const [least, step] = await Promise.all(["min", "step"].map(async (name) => Number(await at.getAttribute(name))));
  expect([least, step].every(Number.isInteger)).toBe(true); // else few of its values would be steps
  await at.fill(`${least! + 990 * step!}`); // some seconds before the page was opened
  await page.getByText(/^[1-9]\d* vehicles? in view/).waitFor();
  const scale = page.locator(".maplibregl-ctrl-scale");
  await until(async () => /^\d{2,3}\sk?m$/.test(await scale.innerText()), "the map has gone to where they are, also of who went elsewhere on the line before");
  for (let n = 0; n < 3; n++) await page.getByRole("button", { name: "Zoom out" }).click();
  await until(async () => !/^\d{2,3}\sk?m$/.test(await scale.innerText()), "all the world is seen");
  await page.getByRole("button", { name: "Whole fleet" }).click();
  await until(async () => /^\d{2,3}\sk?m$/.test(await scale.innerText()), "it is there again");
  await page.getByRole("button", { name: "Pause" }).click();
  const shown = () => at.getAttribute("aria-valuetext");
  const isHeld = async () => {
    const before = await shown();
    await page.waitForTimeout(2_500); // in which it would go on by two seconds
    return await shown() === before;
  };
  await until(isHeld, "the gateway has said where it is held");
  const held = await shown();
  await shoot(page, "playback");
  expect(await isHeld()).toBe(true);
  expect(await shown()).toBe(held);
  await page.getByRole("button", { name: "Play" }).click();
  await until(async () => await at.getAttribute("aria-valuetext") !== held, "it goes on");
  await page.getByRole("button", { name: "Live" }).click();
  await until(async () => await page.getByRole("button", { name: "Live" }).getAttribute("aria-pressed") === "true", "it is live");
  expect(await stumbles(page)).toEqual([]);
  expect(said).toEqual([]);
  await page.context().close();
});
