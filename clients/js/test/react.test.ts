/** The hooks, in a project as `npm create vite` makes it, in React's StrictMode. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { useApp } from "./browser.js";
import { log, until, useStack } from "./stack.js";

const stack = useStack();
const app = useApp(false);

async function open(page?: Page, more = ""): Promise<Page> {
  const token = await stack.act("token", { user: "ana" });
  page ??= await app.browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`${app.url}#gateway=${encodeURIComponent(stack.where.url)}&token=${token}&vehicle=${stack.where.ids["USV-1"]}${more}`);
  await page.locator("#state").waitFor();
  expect(errors).toEqual([]);
  return page;
}

/** What the page asks of the gateway. */
async function watched(): Promise<{ page: Page; asked: string[] }> {
  const page = await app.browser.newPage();
  const asked: string[] = [];

  page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => {
    if (socket.url().includes("/api/ws")) asked.push(JSON.parse(`${payload}`).op);
  }));
  return { page: await open(page), asked };
}

const text = (page: Page, id: string): Promise<string> => page.locator(`#${id}`).first().innerText();

test("a page of a fresh project shows live data, by one socket", async () => {
  const page = await open();
  const id = `vehicle-${stack.where.ids["USV-1"]}`;

  await until(async () => (await text(page, "state")) === "live websocket", "it is live");
  for (const n of [11, 12]) {
    await stack.act("publish", { topic: "seano/USV-1/vehicle_log", payload: log(n) });
    await until(async () => (await text(page, id)) === `${n}`, `heading ${n} is shown`);
  }
  await stack.act("publish", { topic: "seano/USV-1/raw_log", payload: "hello" });
  await until(async () => (await text(page, "events")) === "hello", "the event is shown");
  expect(await text(page, "fleet")).toBe(`${stack.where.ids["USV-1"]} / 1`);
  expect(await stack.act("metric", { name: "tidegate_ws_connections" })).toBe(1);
  await page.close();
});

test("in StrictMode a subscription is made once, and what is unmounted is not subscribed any more", async () => {
  const { page, asked } = await watched();
  const id = `vehicle-${stack.where.ids["USV-1"]}`;
  const n = (op: string): number => asked.filter((one) => one === op).length;

  await until(async () => (await text(page, id)) !== "nothing", "its state is there");
  expect(n("subscribe")).toBe(5); /* one vehicle, looked at twice; the vehicles; the devices; the events; a chart, twice */
  await page.click("#toggle");
  await until(() => n("unsubscribe") === 5, "subscriptions have ended");
  await page.click("#toggle");
  await until(async () => (await text(page, id)) !== "nothing", "its state is there again");
  expect(n("subscribe")).toBe(10);
  await page.close();
});

test("a box alone is a set, and so are things whose names have blanks", async () => {
  await stack.act("sql", { statement: "INSERT INTO devices (code, user_id) SELECT 'hall pump', id FROM users WHERE username = 'ana'" });
  const id = Number((await stack.act("sql", { statement: "SELECT id FROM devices WHERE code = 'hall pump'" })).flat()[0]);
  const page = await open(undefined, "&near=hall+pump");

  await stack.act("publish", { topic: "seano/USV-1/vehicle_log", payload: log(13) });
  await until(async () => (await text(page, "near")) === `${stack.where.ids["USV-1"]} / ${id}`, "both are there");
  await stack.act("publish", { topic: "seano/USV-1/vehicle_log", payload: JSON.stringify({ latitude: 50, longitude: 2 }) });
  await until(async () => (await text(page, "near")) === `/ ${id}`, "it has left the box");
  await stack.act("sql", { statement: "DELETE FROM devices WHERE code = 'hall pump'" });
  await page.close();
});

test("a set knows from when on all of it is there, and not before, however few there are", async () => {
  const page = await app.browser.newPage();
  const fleet = page.locator("#fleet");

  await stack.act("drop");
  await open(page);
  await until(async () => (await text(page, "state")).startsWith("connecting"), "it connects");
  expect([await fleet.getAttribute("data-ready"), await fleet.innerText()]).toEqual(["false", "/ 0"]);
  await stack.act("mend");
  await until(async () => await fleet.getAttribute("data-ready") === "true", "the set is whole");
  expect(await fleet.innerText()).toMatch(/ 1$/);
  await page.close();
});

test("a list knows from when on nothing is missing, and does not know it before, nor after it was not there", async () => {
  const isReady = (is: boolean) => until(async () => await page.locator("#events").getAttribute("data-ready") === `${is}`, `ready is ${is}`);
  const publish = (payload: string): Promise<void> => stack.act("publish", { topic: "seano/USV-1/raw_log", payload });
  let page: Page;

  await stack.act("drop");
  page = await open();
  await until(async () => (await text(page, "state")).startsWith("connecting"), "it connects");
  expect(await page.locator("#events").getAttribute("data-ready")).toBe("false");
  await stack.act("mend");
  await isReady(true);
  await publish("one");
  await until(async () => (await text(page, "events")) === "one", "it is shown");
  await page.click("#toggle");
  await until(async () => await page.locator("#events").count() === 0, "it is away");
  await publish("meanwhile");
  await page.click("#toggle");
  await isReady(true);
  await publish("two");
  await until(async () => (await text(page, "events")) === "two", "it begins anew");
  await page.close();
});

test("a chart has what was, and goes on with what comes; two of the same are read once", async () => {
  const publish = (n: number): Promise<void> => stack.act("publish", { topic: "ems/dev-1/telemetry", payload: `{"n":${n}}` });
  const read: string[] = [];
  const page = await app.browser.newPage();

  page.on("request", (request) => request.method() === "GET" && request.url().includes("member=") && read.push(request.url()));
  for (const n of [1, 2, 3]) await publish(n);
  await open(page);
  await until(async () => (await text(page, "chart")) === "live: 3, 1 to 3", "history is there");
  for (const n of [4, 5]) await publish(n);
  await until(async () => (await text(page, "chart")) === "live: 5, 1 to 5", "live goes on");
  expect(read.length).toBe(1);
  await page.close();
});

test("a playback shows what was, and goes on with what comes; in StrictMode there is one", async () => {
  const asked: { op: string; at?: string }[] = [];
  const page = await app.browser.newPage();
  const begin = new Date().toISOString();
  const publish = (n: number): Promise<void> => stack.act("publish", { topic: "seano/USV-1/vehicle_log", payload: log(n) });

  page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => socket.url().includes("/api/ws") && asked.push(JSON.parse(`${payload}`))));
  for (const n of [21, 22]) await publish(n);
  await open(page, `&past=${begin}`);
  await until(async () => (await text(page, "past")) === "live: 2, 22", "it has come to now");
  await publish(23);
  await until(async () => (await text(page, "past")) === "live: 3, 23", "it goes on");
  expect(asked.filter(({ op, at }) => op === "subscribe" && at).length).toBe(1);
  await page.close();
});

test("a button sends a command and shows what becomes of it", async () => {
  const page = await open();

  await until(async () => (await text(page, "state")) === "live websocket", "it is live");
  await page.click("#blink");
  await until(async () => (await text(page, "blink")) === "published", "it is published");
  await page.close();
});
