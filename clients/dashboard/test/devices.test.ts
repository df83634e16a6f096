/** Devices: found, opened, drawn and told what to do. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { shoot, stumbles, until, useDashboard } from "./stack";

const dashboard = useDashboard();
const SCRIPT = `<img src=x onerror="document.title='broken'">`;
const say = (data: unknown) => dashboard.act("publish", { topic: "ems/dev-1/telemetry", payload: JSON.stringify(data) });

test("a device is found, and what it says is text and a picture that goes on", async () => {
  const { page, said } = await dashboard.open();

  await dashboard.act("sql", { statement: "UPDATE devices SET name = %s, location = %s WHERE code = 'dev-1'", values: [SCRIPT, SCRIPT] });
  await say({ power: 1, deep: { level: 7 }, note: SCRIPT, on: true });
  await dashboard.signIn(page, "ana", "#/devices");
  await page.getByText("1 device", { exact: true }).waitFor();
  await page.getByRole("searchbox").fill("nobody");
  await page.getByText("No device is like that").waitFor();
  await page.getByRole("searchbox").fill("dev-1");
  await page.getByRole("link", { name: SCRIPT }).click();
  await page.getByRole("heading", { name: SCRIPT }).waitFor();
  await page.getByRole("definition").filter({ hasText: SCRIPT }).waitFor();
  const chart = page.getByRole("region", { name: "power" });
  await chart.getByRole("img", { name: "power: 1 " }).waitFor();
  await page.getByRole("region", { name: "deep › level" }).waitFor();
  await say({ power: 42.5 });
  await chart.getByRole("img", { name: "power: 42.5 " }).waitFor();
  expect(await page.title()).toBe("Devices – Tidegate");
  expect(await stumbles(page)).toEqual([]);
  expect(said).toEqual([]);
  await page.context().close();
});

test("until it is known which devices there are, none are counted, and nobody is told that there are none", async () => {
  const { page } = await dashboard.open();
  const main = page.getByRole("main");
  const list = main.getByRole("group", { name: "Devices" });
  let free!: () => void;

  await dashboard.signIn(page, "ana");
  dashboard.road.held = new Promise((resolve) => (free = resolve));
  try {
    await page.getByRole("link", { name: "Devices" }).click();
    expect(await list.getByRole("paragraph").innerText()).toBe("Loading…");
    expect(await main.getByRole("status").innerText()).toBe("");
    expect(await page.getByRole("status").getByText("Live").count()).toBe(1);
  } finally {
    dashboard.road.held = undefined;
    free();
  }
  await main.getByRole("status").getByText("1 device", { exact: true }).waitFor();
  await page.context().close();
});

test("until a device has come nobody is told that it is gone; of one that is not there that is said", async () => {
  const { page } = await dashboard.open();
  const main = page.getByRole("main");
  let free!: () => void;

  await dashboard.signIn(page, "ana", "#/devices");
  await main.getByRole("link", { name: "dev-1" }).waitFor();
  dashboard.road.held = new Promise((resolve) => (free = resolve));
  try {
    await main.getByRole("link", { name: "dev-1" }).click();
    await main.getByRole("link", { name: "All devices" }).waitFor();
    expect(await main.getByRole("status").innerText()).toBe("Loading…");
  } finally {
    dashboard.road.held = undefined;
    free();
  }
  await main.getByRole("tab", { name: "About" }).waitFor();
  await page.evaluate((id) => (location.hash = `#/devices/${id}`), dashboard.where.ids["dev-2"]);
  await main.getByRole("status").getByText("Nothing is known of it").waitFor();
  await page.context().close();
});

test("who has no devices is told so", async () => {
  const { page } = await dashboard.open();

  await dashboard.act("viewer", { name: "vera", of: "USV-1" });
  await dashboard.signIn(page, "vera", "#/devices");
  await page.getByText("There are no devices yet").waitFor();
  expect(await page.getByRole("main").getByRole("status").innerText()).toBe("0 devices");
  await page.context().close();
});

test("history of a chart is read where somebody goes back, and saved as a file", async () => {
  const { page } = await dashboard.open();

  await say({ power: 5 });
  await dashboard.signIn(page, "ana", `#/devices/${dashboard.where.ids["dev-1"]}`);
  const chart = page.getByRole("region", { name: "power" });
  await chart.getByRole("img", { name: "power: 5 " }).waitFor();
  const box = (await chart.locator(".u-over").boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.5, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 2, box.y + 40, { steps: 4 });
  await page.mouse.up();
  expect(await chart.getByRole("button", { name: "Live" }).getAttribute("aria-pressed")).toBe("false");
  await chart.getByRole("button", { name: "More time" }).click();
  await chart.getByRole("img", { name: "power: 5 " }).waitFor();
  await chart.getByRole("button", { name: "Earlier" }).click();
  await chart.getByRole("button", { name: "Earlier" }).click();
  await chart.getByRole("button", { name: "Earlier" }).click();
  await chart.getByText("Nothing in this time").waitFor();
  await chart.getByRole("button", { name: "Live" }).click();
  const [file] = await Promise.all([page.waitForEvent("download"), chart.getByRole("button", { name: "Save all points as CSV" }).click()]);
  expect(file.suggestedFilename()).toBe("dev-1-power.csv");
  expect(readFileSync(await file.path(), "utf8")).toMatch(/^timestamp,value\r?\n.*,1(\.0)?\r?\n/);
  await page.context().close();
});

test("a command is sent, and what becomes of it is shown", async () => {
  const { page } = await dashboard.open();

  await dashboard.signIn(page, "ana", `#/devices/${dashboard.where.ids["dev-1"]}`);
  await page.getByRole("tab", { name: "Command" }).click();
  await page.getByLabel("Action").fill("BLINK");
  await page.getByLabel("Payload (JSON)").fill("[1]");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("alert").getByText("The payload has to be a JSON object").waitFor();
  await page.getByLabel("Payload (JSON)").fill(`{"times": 3}`);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("status").getByText("published").waitFor();
  await page.getByRole("button", { name: "Take back" }).click();
  await page.getByRole("status").getByText("taken back").waitFor();
  await page.context().close();
});

test("a hall of devices is worth looking at", async () => {
  const { page, said } = await dashboard.open();

  await dashboard.act("sql", { statement: "INSERT INTO groups (name) VALUES ('Hall 1'), ('Hall 2')" });
  const codes = await dashboard.act("devices", { user: "root" });
  await dashboard.act("sql", { statement: "INSERT INTO device_groups SELECT d.id, g.id FROM devices d, groups g WHERE d.id % 2 = g.id % 2" });
  await dashboard.signIn(page, "root", "#/devices");
  await until(async () => await page.getByRole("cell", { name: "online" }).count() > 8, "they are online");
  await page.getByLabel("Groups").selectOption("Hall 1");
  await page.getByText(/of 17 devices/).waitFor();
  await page.getByLabel("Groups").selectOption("");
  await page.getByRole("button", { name: "Last seen" }).click();
  expect(codes.length).toBe(15);
  await shoot(page, "devices");
  expect(await page.getByRole("group", { name: "Devices" }).evaluate((one) => one.scrollWidth - one.clientWidth)).toBe(0); // nothing is cut off
  expect(await stumbles(page)).toEqual([]);
  await page.getByRole("searchbox").fill("ems");
  await page.getByRole("link", { name: "sim-ems-01" }).click();
  await page.getByRole("img").nth(2).waitFor();
  await page.getByRole("combobox", { name: "Time shown" }).first().selectOption("Last 5 minutes");
  await shoot(page, "device");
  expect(said).toEqual([]);
  await page.context().close();
});
