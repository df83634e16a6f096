/** Every name and every word that somebody else has chosen is text, on every page; and every page can be read by everybody. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { PASSWORD, stumbles, until, useDashboard } from "./stack";

const dashboard = useDashboard();
const SCRIPT = `<img src=x onerror="document.title='broken'">`;
const sql = (statement: string, values: unknown[] = []) => dashboard.act("sql", { statement, values });
const publish = (topic: string, payload: unknown) => dashboard.act("publish", { topic, payload: typeof payload === "string" ? payload : JSON.stringify(payload) });
const post = (page: Page, path: string, body: unknown) => page.evaluate(async ({ url, body }) =>
  (await fetch(url, { method: "POST", body: JSON.stringify(body), headers: { Authorization: `Bearer ${sessionStorage["tidegate.token"]}`, "Content-Type": "application/json" } })).status,
{ url: new URL(path, dashboard.url).href, body });

/** Each thing that there is has a name that is script, and says script. */
async function scripts(page: Page): Promise<void> {
  for (const what of ["vehicles", "devices"]) await sql(`UPDATE ${what} SET name = %s`, [SCRIPT]);
  await sql("UPDATE devices SET location = %s, device_type = %s WHERE code <> 'dev-2'", [SCRIPT, SCRIPT]);
  await sql("UPDATE users SET username = %s WHERE username = 'ben'", [SCRIPT]);
  expect(await post(page, "api/manage/groups", { name: SCRIPT, devices: ["dev-1"] })).toBe(201);
  expect(await post(page, "api/devices/dev-1/commands", { action: SCRIPT, payload: { [SCRIPT]: SCRIPT } })).toBe(202);
  await publish("seano/USV-1/vehicle_log", { latitude: 53.5, longitude: 9.9, heading: 45, [SCRIPT]: 7, mode: SCRIPT });
  await publish("seano/USV-1/raw_log", SCRIPT);
  await publish("seano/USV-1/sensor_log", { sensor_id: 1, data: { [SCRIPT]: SCRIPT } });
  await publish("seano/USV-1/alert", { severity: "critical", alert_type: SCRIPT, message: SCRIPT, [SCRIPT]: SCRIPT });
  await publish("devices/dev-1/status", { status: "online", firmware: SCRIPT, [SCRIPT]: SCRIPT });
  await publish("devices/dev-1/alert", { severity: "warning", message: `${SCRIPT} of a device` });
  await publish("ems/dev-1/telemetry", { [SCRIPT]: 42, deep: { [SCRIPT]: 7 }, note: SCRIPT });
  await publish("surveillance/camera/dev-1/event", { camera_id: "dev-1", event_type: SCRIPT, data: { person_name: SCRIPT, confidence: 0.5, [SCRIPT]: SCRIPT } });
  await publish("tfg/detections/raw", { device_id: "dev-1", name: SCRIPT, location: SCRIPT, detections: [{ device_hash: "a".repeat(64), rssi: -50 }] });
  await publish("seano/<img src=x onerror=alert(1)>/vehicle_log", `{"latitude":"${SCRIPT}`);
}

/** Where one may go, and how one knows that all of it is there. */
const places: [string, (page: Page) => Promise<unknown>][] = [
  ["map", (page) => page.getByRole("button", { name: SCRIPT }).first().waitFor()],
  ["devices", (page) => page.getByRole("link", { name: SCRIPT }).first().waitFor()],
  ["alerts", (page) => page.getByRole("heading", { name: SCRIPT }).first().waitFor()],
  ["people", (page) => page.getByText(SCRIPT).first().waitFor()],
  ["cameras", (page) => page.getByRole("heading", { name: SCRIPT }).first().waitFor()],
  ["commands", (page) => page.getByRole("heading", { name: SCRIPT }).first().waitFor()],
  ["playback", (page) => page.getByRole("slider").waitFor()],
  ["operation", (page) => page.getByRole("list", { name: "Numbers" }).waitFor()],
  ["operation/letters", (page) => page.getByRole("row").nth(1).waitFor()],
  ["operation/unrouted", (page) => page.getByText("Nobody looks for such topics").waitFor()],
  ["settings", (page) => page.getByRole("row").filter({ hasText: SCRIPT }).first().waitFor()],
  ["settings/devices", (page) => page.getByRole("row").filter({ hasText: SCRIPT }).first().waitFor()],
  ["settings/vehicles", (page) => page.getByRole("row").filter({ hasText: SCRIPT }).first().waitFor()],
  ["settings/groups", (page) => page.getByRole("row").filter({ hasText: SCRIPT }).first().waitFor()],
];

/** Nothing of it has become a part of the page, or run. */
async function isText(page: Page, where: string): Promise<void> {
  expect(await page.locator("img[src='x'], [onerror]").count(), where).toBe(0);
  expect(await page.title(), where).not.toContain("broken");
}

test("script in each name and each word is text on each page, light, dark and on a phone, and nothing is kept of it", async () => {
  const { page, said } = await dashboard.open();

  await dashboard.signIn(page, "root");
  await scripts(page);
  await page.reload();
  await page.getByRole("status").getByText("Live").waitFor();
  for (const [look, width, height] of [["light", 1280, 800], ["dark", 1280, 800], ["dark", 390, 844]] as const) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: look });
    for (const [path, isThere] of places) {
      const where = `${path}, ${look}, ${width}`;
      await page.goto(`${dashboard.url}#/${path}`);
      if (path === "map" && width < 500) await page.getByRole("button", { name: "Vehicles" }).click();
      await isThere(page);
      await isText(page, where);
      expect(await stumbles(page), where).toEqual([]);
      if (!path.includes("map")) expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), where).toBeLessThanOrEqual(0);
    }
  }
  const kept = await page.evaluate(async () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie,
    (await indexedDB.databases()).map(({ name }) => name), "caches" in window ? await caches.keys() : []]));
  expect(kept).not.toContain("img src");
  expect(kept).not.toContain(PASSWORD);
  expect(Object.keys(JSON.parse(kept)[1])).toEqual(["tidegate.token"]);
  expect(said).toEqual([]);
  await page.context().close();
});

test("script is text in all that is opened: a vehicle, a device, their parts, and what can be done to things", async () => {
  const { page, said } = await dashboard.open();
  const { ids } = dashboard.where;

  await dashboard.signIn(page, "root", `#/map/${ids["USV-1"]}`); /* of the test before */
  for (const [at, tabs] of [[`map/${ids["USV-1"]}`, ["State", "Charts", "Log", "Command"]], [`devices/${ids["dev-1"]}`, ["State", "About", "Messages", "Command"]]] as const) {
    await page.goto(`${dashboard.url}#/${at}`);
    for (const tab of tabs) {
      await page.getByRole("tab", { name: tab }).click();
      if (tab !== "Command") await page.getByRole("tabpanel").getByText("<img src=x").first().waitFor();
      await isText(page, `${at} ${tab}`);
      expect(await stumbles(page), `${at} ${tab}`).toEqual([]);
    }
  }
  for (const part of ["", "/devices", "/vehicles", "/groups"]) {
    await page.goto(`${dashboard.url}#/settings${part}`);
    const row = page.getByRole("row").filter({ hasText: SCRIPT }).first();
    await row.getByRole("button").click();
    await page.getByRole("dialog").getByRole("heading", { name: SCRIPT }).waitFor();
    await isText(page, part);
    expect(await stumbles(page), part).toEqual([]);
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).or(page.getByRole("dialog").getByRole("button", { name: "Delete the group" })).first().click();
    await page.getByRole("dialog").getByText("cannot be undone").waitFor();
    await isText(page, `${part}, to delete`);
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await until(async () => await page.getByRole("dialog").count() === 0, "it is closed");
  }
  expect(said).toEqual([]);
  await page.context().close();
});
