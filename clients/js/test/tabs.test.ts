/** One socket for all tabs: by a shared worker as built for users, by a lock where it does not come up, as with Vite in development. */
import { describe, expect, test } from "vitest";
import { ELSEWHERE, useApp } from "./browser.js";
import { until, useStack } from "./stack.js";

const stack = useStack();

describe.each([["a shared worker", true], ["a lock", false]])("by %s", (_, isBuilt) => {
  const app = useApp(isBuilt);

  test("ten tabs have one socket, and a crash of the first loses nothing", async () => {
    const sockets = (): Promise<number> => stack.act("metric", { name: "tidegate_ws_connections" });
    const publish = (text: string): Promise<void> => stack.act("publish", { topic: "seano/USV-1/raw_log", payload: text });
    const token = await stack.act("token", { user: "ana" });
    const address = `${app.url}#gateway=${encodeURIComponent(stack.where.url)}&token=${token}&vehicle=1&share=1`;
    const context = await app.browser.newContext();
    const pages = [];
    const text = (i: number, id: string): Promise<string> => pages[i]!.locator(`#${id}`).innerText();

    await until(async () => (await sockets()) === 0, "nobody is there");
    for (let i = 0; i < 10; i++) {
      pages.push(await context.newPage());
      await pages[i]!.goto(address);
      await until(async () => (await text(i, "state")).startsWith("live"), `tab ${i} is live`);
      await until(async () => (await text(i, "fleet")).startsWith("1"), `tab ${i} has what it asked for`);
    }
    expect(await sockets()).toBe(1);
    for (let n = 0; n < 3; n++) await publish(`before ${n}`);
    for (let i = 0; i < 10; i++) await until(async () => (await text(i, "events")).endsWith("before 2"), `tab ${i} sees it`);
    await pages[0]!.goto("chrome://crash").catch(() => {});
    for (let n = 0; n < 3; n++) await publish(`after ${n}`);
    for (let i = 1; i < 10; i++) {
      await until(async () => (await text(i, "events")).endsWith("after 2"), `tab ${i} sees the rest`);
      expect(await text(i, "events")).toBe("before 0\nbefore 1\nbefore 2\nafter 0\nafter 1\nafter 2");
    }
    await until(async () => (await sockets()) === 1, "those of the process that is gone are closed");
    await context.close();
  });

  test.runIf(isBuilt)("a page that came by HTTP has a socket of its own", async () => {
    const token = await stack.act("token", { user: "ana" });
    const page = await app.browser.newPage();
    const address = app.url.replace("127.0.0.1", ELSEWHERE);

    await page.goto(`${address}#gateway=${encodeURIComponent(stack.where.url)}&token=${token}&vehicle=1&share=1`);
    await until(async () => (await page.locator("#state").innerText()) === "live websocket", "it is live");
    expect(await page.evaluate("isSecureContext")).toBe(false);
    await page.close();
  });
});
