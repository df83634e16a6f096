/** Opened while the database, or the gateway, is away: what somebody sees then, and that it heals by itself. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { PASSWORD, shoot, useDashboard } from "./stack";

const dashboard = useDashboard();
const UNAVAILABLE = "The database is away, or too much is asked of it";

/** Somebody who has signed in before, in this tab. */
async function returning(user: string) {
  const opened = await dashboard.open();
  const token = await dashboard.act("token", { user });

  await opened.page.addInitScript((kept) => sessionStorage.setItem("tidegate.token", kept), token);
  return opened;
}

test("pages that are opened while the database is away say so, and have all of it once it is back, by themselves", async () => {
  const pages: Record<string, Page> = {};

  await dashboard.act("publish", { topic: "seano/USV-1/alert", payload: `{"severity":"info","message":"of before"}` });
  await dashboard.act("halt", { what: "postgres" });
  try {
    for (const path of ["people", "settings/users", "commands", "alerts", "operation/letters"]) {
      const { page } = await returning("root");
      await page.goto(`${dashboard.url}#/${path}`);
      pages[path] = page;
    }
    for (const page of Object.values(pages)) await page.getByText(UNAVAILABLE).first().waitFor();
    await shoot(pages["people"]!, "away-people");
  } finally {
    await dashboard.act("resume", { what: "postgres" });
  }
  for (const one of Object.values(pages)) await one.getByText(UNAVAILABLE).first().waitFor({ state: "detached" });
  await pages["people"]!.getByText("in the last 5 minutes").waitFor();
  await pages["settings/users"]!.getByRole("row").filter({ hasText: "ben" }).waitFor();
  await pages["alerts"]!.getByText("of before").waitFor();
  await pages["commands"]!.getByText("No command has been sent yet").waitFor();
  for (const one of Object.values(pages)) await one.context().close();
});

test("a page that is opened while the gateway does not know yet who exists connects, and is whole once it does", async () => {
  const { page } = await returning("root");

  await dashboard.act("halt", { what: "postgres" });
  try {
    await dashboard.act("kill");
    await dashboard.act("start", { wait: false });
    await page.goto(`${dashboard.url}#/operation`);
    await page.getByRole("status").getByText("Connecting").waitFor();
    expect(await page.getByRole("heading").innerText()).toBe("Loading…");
    const other = await dashboard.open();
    await other.page.goto(dashboard.url);
    await other.page.getByLabel("User name").fill("root");
    await other.page.getByLabel("Password").fill(PASSWORD);
    await other.page.getByRole("button", { name: "Sign in" }).click();
    await other.page.getByRole("alert").getByText("with it who may sign in").waitFor();
    await shoot(other.page, "away-sign-in");
    await other.page.context().close();
  } finally {
    await dashboard.act("resume", { what: "postgres" });
  }
  await page.getByRole("status").getByText("Live").waitFor();
  await page.getByText("All is well").waitFor();
  await page.context().close();
});

test("a page that another server has, and is opened while the gateway is away, is whole once that comes", async () => {
  const { page } = await returning("root");
  const fileOf = (url: URL): string => join(inject("folder"), "dist", url.pathname.slice(new URL(dashboard.url).pathname.length) || "index.html");

  await page.route((url) => existsSync(fileOf(url)), (route) => route.fulfill({ path: fileOf(new URL(route.request().url())) }));
  await dashboard.act("kill");
  try {
    await page.goto(`${dashboard.url}#/people`);
    await page.getByText("The gateway cannot be reached").first().waitFor();
    expect(await page.getByRole("status").getByText("Connecting").count()).toBe(1);
    await page.evaluate(() => (location.hash = "#/devices"));
    await page.getByText("Loading…").waitFor();
    await shoot(page, "away-devices");
  } finally {
    await dashboard.act("start");
  }
  await page.getByRole("link", { name: "dev-1" }).waitFor();
  await page.evaluate(() => (location.hash = "#/people"));
  await page.getByText("in the last 5 minutes").waitFor();
  expect(await page.getByText("The gateway cannot be reached").count()).toBe(0);
  await page.context().close();
});
