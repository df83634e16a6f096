/** What an operator sees, and what he is told when something is wrong. */
import { expect, test } from "vitest";
import { shoot, stumbles, until, useDashboard } from "./stack";

const dashboard = useDashboard();
const SCRIPT = `<img src=x onerror="document.title='broken'">`;

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

test("dead letters are told in groups, looked at as text, and come back once the reason is mended", async () => {
  const { page, said } = await dashboard.open();
  const log = JSON.stringify({ latitude: 53.5, longitude: 9.9, heading: 45 });

  await dashboard.act("publish", { topic: "seano/USV-1/vehicle_log", payload: `{"latitude": "${SCRIPT.replaceAll('"', "'")}"` });
  for (const code of ["USV-8", "USV-9", "USV-9"]) await dashboard.act("publish", { topic: `seano/${code}/vehicle_log`, payload: log });
  await dashboard.signIn(page, "root", "#/operation/letters");
  const unknown = page.getByRole("row").filter({ hasText: "The vehicle is not known" });
  await unknown.first().waitFor();
  await until(async () => await unknown.count() >= 1 && /[23]/.test(await unknown.first().innerText()), "all are there");
  await shoot(page, "letters");
  await page.getByRole("row").filter({ hasText: "Is no JSON" }).getByRole("button", { name: "Look" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("document.title='broken'").first().waitFor();
  expect(await stumbles(page)).toEqual([]);
  await shoot(page, "letter");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });

  await dashboard.act("sql", { statement: "INSERT INTO vehicles (code, user_id) SELECT 'USV-9', id FROM users WHERE username = 'ana'" });
  await unknown.first().getByRole("button", { name: "Take in again" }).click();
  await dialog.getByText("Take in 3 messages again?").waitFor();
  await dialog.getByRole("button", { name: "Take in again" }).click();
  await page.getByText("2 of 3 came back.").waitFor();
  await page.getByText("1 is a dead letter again.").waitFor();
  await shoot(page, "letters-back");
  await unknown.getByText("1", { exact: true }).waitFor();
  await unknown.getByRole("button", { name: "Forget" }).click();
  await dialog.getByText("Forget 1 message?").waitFor();
  await dialog.getByRole("button", { name: "Forget" }).click();
  await page.getByText("1 message is forgotten.").waitFor();
  await unknown.waitFor({ state: "detached" });
  expect(await page.title()).toBe("Operation – Tidegate");
  expect(await stumbles(page)).toEqual([]);
  expect(said).toEqual([]);
  await page.context().close();
});

test("a topic that no route takes is seen, and the lines of a route for it are there to copy, with the row that they would make", async () => {
  const { page, said } = await dashboard.open({ permissions: ["clipboard-read", "clipboard-write"] });

  await dashboard.signIn(page, "root", "#/operation/unrouted");
  await page.getByText("Nobody looks for such topics").waitFor();
  await dashboard.act("explore", { filters: "heating/#" });
  const row = page.getByRole("row").filter({ hasText: "heating/+/state" });
  await until(async () => {
    await dashboard.act("publish", { topic: "heating/b0017/state", payload: JSON.stringify({ T1: "61.5", burner: "ON", note: SCRIPT }) });
    return await row.count() > 0;
  }, "it is seen");
  await shoot(page, "unrouted");
  await row.getByRole("button", { name: "Make a route of this" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Copy" }).click();
  await dialog.getByText("Copied").waitFor();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(/^\[route heating\]\ntopic = heating\/\{device\}\/state\n/);
  expect(await dialog.getByRole("region", { name: "One message" }).innerText()).toContain(JSON.stringify(SCRIPT));
  const made = dialog.getByRole("group", { name: "A row" });
  expect(await made.innerText()).toMatch(/b0017[^]*61\.5/);
  expect(await made.innerText()).toContain("img src=x");
  expect(await stumbles(page)).toEqual([]);
  await shoot(page, "unrouted-route");
  expect(await page.title()).toBe("Operation – Tidegate");
  expect(said).toEqual([]);
  await page.context().close();
});
