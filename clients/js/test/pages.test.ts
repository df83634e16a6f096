/** What becomes of pages: machines that sleep, pages that are frozen or put aside for the way back, tabs of two users. */
import type { Page } from "playwright-core";
import { afterEach, expect, test } from "vitest";
import { useApp } from "./browser.js";
import { until, useStack } from "./stack.js";

const stack = useStack();
const app = useApp(true, { ignoreDefaultArgs: ["--disable-back-forward-cache"] });
const pages: Page[] = [];

afterEach(async () => {
  for (const context of new Set(pages.splice(0).map((page) => page.context()))) await context.close();
});

async function open(page: Page, user = "ana", more = ""): Promise<Page> {
  const token = await stack.act("token", { user });
  const { "USV-1": vehicle, "dev-1": device } = stack.where.ids;

  pages.push(page);
  await page.goto(`${app.url}?${pages.length}#gateway=${encodeURIComponent(stack.where.url)}&token=${token}&vehicle=${vehicle}&device=${device}${more}`);
  await until(async () => (await state(page)) === "live websocket", "it is live");
  await until(async () => (await text(page, "fleet")).startsWith("1"), "it has what it asked for");
  return page;
}

const text = (page: Page, id: string): Promise<string> => page.locator(`#${id}`).first().innerText();
const state = (page: Page): Promise<string> => text(page, "state");
const publish = (words: string): Promise<void> => stack.act("publish", { topic: "seano/USV-1/raw_log", payload: words });
const shows = (page: Page, words: string): Promise<boolean> => until(async () => (await text(page, "events")) === words, `it shows ${JSON.stringify(words)}`);
const sockets = (): Promise<number> => stack.act("metric", { name: "tidegate_ws_connections" });
const isSeen = (page: Page, n: number): Promise<boolean> => until(async () => Number(await page.evaluate("window.seen")) >= n, `${n} came`);

/** As the browser says it: it freezes no page that is visible, and without a screen all are. The back-forward cache does (below). */
const lifecycle = (page: Page, name: "freeze" | "resume"): Promise<unknown> => page.evaluate(`document.dispatchEvent(new Event("${name}"))`);

/** The process that draws the only page there is. */
async function drawer(): Promise<number> {
  const browser = await app.browser.newBrowserCDPSession();
  const { processInfo } = await browser.send("SystemInfo.getProcessInfo");
  const renderers = processInfo.filter(({ type }) => type === "renderer").sort((a, b) => b.cpuTime - a.cpuTime);
  return renderers[0]!.id;
}

test("a machine that slept while its socket died without a word has all that it missed", async () => {
  const page = await open(await app.browser.newPage());
  const renderer = await drawer();

  await publish("before");
  await shows(page, "before");
  process.kill(renderer, "SIGSTOP");
  await stack.act("drop");
  for (const words of ["one", "two"]) await publish(words);
  await stack.act("mend", { tell: false });
  process.kill(renderer, "SIGCONT");
  await page.evaluate("dispatchEvent(new Event('online'))");
  await shows(page, "before\none\ntwo");
  await publish("after");
  await shows(page, "before\none\ntwo\nafter");
});

test("a machine that woke without a word to its page is told by its clock: it asks whether the gateway is there, and renews the token meanwhile", async () => {
  const page = await app.browser.newPage();
  const sent: string[] = [];
  page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => sent.push(JSON.parse(`${payload}`).op)));
  await open(page);
  const before = sent.length;

  await publish("before");
  await shows(page, "before");
  await page.evaluate("{ const now = Date.now; Date.now = () => now() + 7_200_000; }");
  await until(() => sent.slice(before).includes("refresh"), "the token is renewed, of which the timer says that it is good");
  await until(() => sent.slice(before).includes("ping"), "it asks whether the gateway is there");
  await publish("after");
  await shows(page, "before\nafter");
  expect(sent.slice(before).filter((op) => op !== "ping")).toEqual(["refresh"]);
});

for (const isShared of [false, true])
  test(`a page that is frozen lets go, and has all that it missed when it goes on${isShared ? ", with the socket of all tabs" : ""}`, async () => {
    const page = await open(await app.browser.newPage(), "ana", isShared ? "&share=1" : "");

    await publish("before");
    await shows(page, "before");
    await lifecycle(page, "freeze");
    await until(async () => (await sockets()) === 0, "its socket is closed");
    await publish("meanwhile");
    await lifecycle(page, "resume");
    await publish("after");
    await shows(page, "before\nmeanwhile\nafter");
  });

test("a page that comes back from the back-forward cache goes on where it was", async () => {
  const page = await open(await app.browser.newPage());

  await publish("before");
  await shows(page, "before");
  await page.evaluate(`{
    window.events = [];
    for (const name of ["freeze", "resume"]) document.addEventListener(name, () => events.push(name));
    addEventListener("pageshow", ({ persisted }) => events.push(persisted ? "persisted" : "shown"));
  }`);
  await page.evaluate(`location.href = "${stack.where.straight}livez"`);
  await until(async () => (await sockets()) === 0, "its socket is closed");
  await publish("meanwhile");
  await page.evaluate("history.back()");
  await until(() => page.evaluate("window.events?.includes('persisted')").catch(() => false), "it came from the cache");
  expect(await page.evaluate("window.events")).toEqual(["freeze", "resume", "persisted"]);
  await publish("after");
  await shows(page, "before\nmeanwhile\nafter");
});

test("a worker that hangs is noticed by its silence, and tabs have a socket without it", async () => {
  const context = await app.browser.newContext();
  const [one, other] = [await context.newPage(), await context.newPage()];

  await open(one, "ana", "&share=1");
  await open(other, "ana", "&share=1");
  await publish("before");
  await Promise.all([shows(one, "before"), shows(other, "before")]);
  const browser = await app.browser.newBrowserCDPSession();
  const { targetInfos } = await browser.send("Target.getTargets");
  const worker = targetInfos.find(({ type, url }) => type === "shared_worker" && url.startsWith(app.url))!;
  const { sessionId } = await browser.send("Target.attachToTarget", { targetId: worker.targetId });
  for (const [id, method] of ["Debugger.enable", "Debugger.pause"].entries())
    await browser.send("Target.sendMessageToTarget", { sessionId, message: JSON.stringify({ id, method }) });
  await publish("meanwhile");
  await Promise.all([shows(one, "before\nmeanwhile"), shows(other, "before\nmeanwhile")]);
  for (const page of [one, other]) expect(await page.evaluate("window.ends[0]")).toMatch(/^the worker is gone$|^another tab has the socket now$/);
});

test("tabs of two users never share a socket, nor what one of them may see", async () => {
  const context = await app.browser.newContext();
  const [ana, other, ben] = [await context.newPage(), await context.newPage(), await context.newPage()];

  await open(ana, "ana", "&share=1");
  await open(other, "ana", "&share=1");
  const token = await stack.act("token", { user: "ben" });
  pages.push(ben);
  await ben.goto(`${app.url}?ben#gateway=${encodeURIComponent(stack.where.url)}&token=${token}&vehicle=${stack.where.ids["USV-2"]}&share=1`);
  await until(async () => (await text(ben, "fleet")).startsWith(`${stack.where.ids["USV-2"]} /`), "he has what is his");
  expect(await sockets()).toBe(2);
  await publish("hers");
  await stack.act("publish", { topic: "seano/USV-2/raw_log", payload: "his" });
  await Promise.all([shows(ana, "hers"), shows(other, "hers"), shows(ben, "his")]);
});

test("a tab that was frozen for more than 10,000 events has each once, and the others have none twice", async () => {
  const MANY = 12_000;
  const context = await app.browser.newContext();
  const [one, other] = [await context.newPage(), await context.newPage()];

  await open(one, "ana", "&share=1");
  await open(other, "ana", "&share=1");
  await publish("before");
  await Promise.all([isSeen(one, 1), isSeen(other, 1)]);
  await lifecycle(other, "freeze");
  await stack.act("publish_many", { topic: "seano/USV-1/raw_log", count: MANY });
  await isSeen(one, MANY + 1);
  await lifecycle(other, "resume");
  await isSeen(other, MANY + 1);
  await publish("after");
  await Promise.all([isSeen(one, MANY + 2), isSeen(other, MANY + 2)]);
  expect(await one.evaluate("window.seen")).toBe(MANY + 2);
  expect(await other.evaluate("window.seen")).toBe(MANY + 2);
  expect(await sockets()).toBe(1);
});
