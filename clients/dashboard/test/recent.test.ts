/** A list and what comes: nothing is lost between the two, and nothing is there twice. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { merged } from "../src/data/recent";
import { until, useDashboard } from "./stack";

const dashboard = useDashboard();

/** What @go leads to is read by REST; then @happen; and only then its subscription gets through. */
async function between(page: Page, path: string, go: () => Promise<unknown>, happen: () => Promise<unknown>): Promise<void> {
  let free!: () => void;

  dashboard.road.held = new Promise((resolve) => (free = resolve));
  try {
    await Promise.all([page.waitForResponse((answer) => answer.url().includes(path)), go()]);
    const before = await dashboard.act("metric", { name: "tidegate_committed_total" });
    await happen();
    await until(async () => await dashboard.act("metric", { name: "tidegate_committed_total" }) > before, "it is stored");
  } finally {
    dashboard.road.held = undefined;
    free();
  }
}

const publish = (topic: string, payload: object | string) => dashboard.act("publish", { topic, payload: typeof payload === "string" ? payload : JSON.stringify(payload) });
const seen = (person: string) => publish("surveillance/camera/dev-1/event", { event_type: "face_detected", timestamp: new Date().toISOString(), data: { person_name: person } });

test("an item that is in both is one, by its own place, and the newest are first", () => {
  const item = (seq: number, more = {}) => ({ cursor: `E:${seq}`, timestamp: "2026-01-01T00:00:00Z", ...more });
  const places = (most: number, ...lists: ReturnType<typeof item>[][]) => merged(most, ...lists).map((one) => ("number" in one ? one.number : one.cursor));

  expect(places(9, [item(11), item(9)], [item(9, { number: "E:10" }), item(9), item(9, { number: "E:12" })])).toEqual(["E:12", "E:11", "E:10", "E:9"]);
  expect(places(2, [item(9), item(8)], [item(10)])).toEqual(["E:10", "E:9"]);
});

test("what a camera sees between the list and its subscription is there, once", async () => {
  const { page } = await dashboard.open();
  const heading = (name: string) => page.getByRole("heading", { name, exact: true });

  await dashboard.signIn(page, "ana");
  await seen("Ada");
  await between(page, "api/camera-events", () => page.getByRole("link", { name: "Cameras" }).click(), () => seen("Ida"));
  await seen("Eva");
  for (const name of ["Ada", "Ida", "Eva"]) {
    await heading(name).waitFor();
    expect(await heading(name).count()).toBe(1);
  }
  expect(await page.getByRole("list", { name: "What they have seen" }).getByRole("heading").allInnerTexts()).toEqual(["Eva", "Ida", "Ada"]);
  await page.getByLabel("Camera", { exact: true }).selectOption("dev-1");
  await seen("Uma");
  await heading("Uma").waitFor();
  expect(await page.getByRole("list", { name: "What they have seen" }).getByRole("heading").allInnerTexts()).toEqual(["Uma", "Eva", "Ida", "Ada"]);
  await page.context().close();
});

test("what a vehicle says between its log and its subscription is there, once", async () => {
  const { page } = await dashboard.open();
  const say = (words: string) => publish("seano/USV-1/raw_log", words);

  await say("before");
  await dashboard.signIn(page, "ana", `#/map/${dashboard.where.ids["USV-1"]}`);
  const card = page.getByRole("complementary", { name: "USV-1" });
  await card.waitFor();
  await between(page, "types=raw_log", () => card.getByRole("tab", { name: "Log" }).click(), () => say("meanwhile"));
  await say("after");
  for (const words of ["before", "meanwhile", "after"]) {
    await card.getByText(words, { exact: true }).waitFor();
    expect(await card.getByText(words, { exact: true }).count()).toBe(1);
  }
  await page.context().close();
});

test("of what a device says fast each message is shown, once, also what it says over a break", async () => {
  const { page } = await dashboard.open();
  const many = (count: number) => dashboard.act("publish_many", { topic: "ems/dev-1/telemetry", count, form: `{"n":%d}` });
  const shown = async (): Promise<string[]> => (await page.getByRole("tabpanel").locator("time + span").allInnerTexts()).filter((one) => one.startsWith(`{"n":`));
  const numbers = (...counts: number[]) => counts.flatMap((count) => [...Array(count).keys()].reverse().map((n) => `{"n":${n}}`));

  await publish("ems/dev-1/telemetry", { power: 1 });
  await dashboard.signIn(page, "ana", `#/devices/${dashboard.where.ids["dev-1"]}`);
  await page.getByRole("tab", { name: "Messages" }).click();
  await page.getByText(`{"power":1}`).waitFor();
  await many(40);
  await until(async () => (await shown()).length >= 40, "all are there");
  expect(await shown()).toEqual(numbers(40));
  await dashboard.act("drop");
  await page.getByRole("status").getByText("Connecting").waitFor();
  await many(30);
  await dashboard.act("mend");
  await until(async () => (await shown()).length >= 70, "and those of meanwhile");
  expect(await shown()).toEqual(numbers(30, 40));
  await page.context().close();
});

test("what becomes of a command between the list and its subscription is shown", async () => {
  const { page } = await dashboard.open();
  const ask = (path: string, init?: object) => page.evaluate(async ([path, init]) => (await fetch(path as string, {
    ...init as object, headers: { Authorization: `Bearer ${sessionStorage.getItem("tidegate.token")}`, "Content-Type": "application/json" } })).json(), [path, init] as const);

  await dashboard.signIn(page, "ana");
  const { command_id: id } = await ask("api/devices/dev-1/commands", { method: "POST", body: JSON.stringify({ action: "BLINK", payload: {}, timeout_ms: 600_000 }) });
  await until(async () => (await ask(`api/commands/${id}`)).state === "published", "it is on its way");
  await between(page, "api/commands", () => page.getByRole("link", { name: "Commands" }).click(),
    () => publish("devices/dev-1/commands/ack", { command_id: id, status: "ok" }));
  await page.getByRole("listitem").filter({ hasText: "BLINK" }).getByText("done").waitFor();
  await page.context().close();
});
