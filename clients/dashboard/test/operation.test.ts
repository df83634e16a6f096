/** What an operator sees, and what he is told when something is wrong. */
import { expect, test } from "vitest";
import { shoot, stumbles, until, useDashboard } from "./stack";

const dashboard = useDashboard();

test("the page is an admin's alone", async () => {
  const { page } = await dashboard.open();

  await dashboard.signIn(page, "ana");
  expect(await page.getByRole("link", { name: "Operation" }).count()).toBe(0);
  await page.goto(`${dashboard.url}#/operation`);
  await page.getByText("There is no such page").waitFor();
  await page.context().close();
});

test("an operator sees that all is well, and how much there is", async () => {
  const { page, said } = await dashboard.open();

  await dashboard.act("devices", { user: "ana" });
  await dashboard.signIn(page, "root", "#/operation");
  await page.getByText("All is well").waitFor();
  const received = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: "Received" }) });
  await until(async () => /[1-9][\d.,]*\/s/.test(await received.innerText()), "something is received");
  await page.getByRole("row", { name: /Received since the start \d/ }).waitFor();
  await page.getByText("It adds up: nothing is missing.").waitFor();
  expect(await stumbles(page)).toEqual([]);
  await shoot(page, "operation");
  expect(said).toEqual([]);
  await page.context().close();
});

test("a database and a broker that are away are said in words, with the time, and so is their return", async () => {
  const { page } = await dashboard.open();

  await dashboard.signIn(page, "root", "#/operation");
  await page.getByText("All is well").waitFor();
  await dashboard.act("halt", { what: "postgres" });
  await page.getByText(/^The database is away, since \d/).waitFor();
  await page.getByText(/\d messages? waits?, .* old/).waitFor();
  await dashboard.act("halt", { what: "broker" });
  await page.getByText(/^The MQTT broker is away, since \d/).waitFor();
  expect(await stumbles(page)).toEqual([]);
  await shoot(page, "operation-away");
  await dashboard.act("resume", { what: "postgres" });
  await dashboard.act("resume", { what: "broker" });
  await page.getByText("All is well").waitFor();
  await page.context().close();
});
