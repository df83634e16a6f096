/** Users, devices, vehicles, shares and groups, as those who may set them see them. */
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { PASSWORD, shoot, stumbles, until, useDashboard } from "./stack";

const dashboard = useDashboard();
const SCRIPT = `<img src=x onerror="document.title='broken'">`;
const row = (page: Page, text: string): Locator => page.getByRole("row").filter({ hasText: text });

/** Opens what can be done to something, and chooses one. */
async function choose(page: Page, name: string, act: string): Promise<Locator> {
  await page.getByRole("button", { name: `Change ${name}…`, exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: act, exact: true }).click();
  return page.getByRole("dialog");
}

test("an admin adds a user, is told at the field what is wrong, shuts him out and deletes him", async () => {
  const { page } = await dashboard.open();

  await dashboard.signIn(page, "root", "#/settings");
  await row(page, "ana").waitFor();
  await shoot(page, "settings-users");
  await page.getByRole("button", { name: "Add a user" }).click();
  const dialog = page.getByRole("dialog");
  expect(await dialog.getByLabel("User name").evaluate((field) => field === document.activeElement)).toBe(true);
  await dialog.getByLabel("User name").fill("ana");
  await dialog.getByLabel("Password").fill("short");
  await dialog.getByRole("button", { name: "Add a user" }).click();
  await dialog.getByText("Allowed: 8 to 255 bytes").waitFor();
  expect(await dialog.getByLabel("Password").getAttribute("aria-invalid")).toBe("true");
  expect(await dialog.getByLabel("Password").evaluate((field) => field === document.activeElement)).toBe(true);
  await dialog.getByLabel("Password").fill(PASSWORD);
  await dialog.getByRole("button", { name: "Add a user" }).click();
  await dialog.getByText("There is one of this name already").waitFor();
  expect(await stumbles(page)).toEqual([]);
  await shoot(page, "settings-add");
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await dialog.evaluate((one) => one.scrollWidth - one.clientWidth)).toBe(0); // nothing is cut off
  await page.setViewportSize({ width: 1280, height: 800 });
  await dialog.getByLabel("User name").fill("dora");
  await dialog.getByLabel("Role").selectOption("viewer");
  await dialog.getByRole("button", { name: "Add a user" }).click();
  await page.getByText("Done: Add a user (dora)").waitFor();
  await row(page, "dora").getByText("viewer").waitFor();

  await (await choose(page, "dora", "Shut out")).getByRole("button", { name: "Shut out" }).click();
  await row(page, "dora").getByText("shut out").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Change dora…" }).click();
  await shoot(page, "settings-acts");
  expect(await stumbles(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Delete" }).click();
  await dialog.getByText("It cannot be undone").waitFor();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await row(page, "dora").waitFor({ state: "detached" });

  await (await choose(page, "root", "Shut out")).getByRole("button", { name: "Shut out" }).click();
  await dialog.getByText("You cannot do that to yourself").waitFor();
  await page.context().close();
});

test("a device's token is shown once, as text and as a code, and Escape does not lose it", async () => {
  const { page, said } = await dashboard.open({ permissions: ["clipboard-read", "clipboard-write"] });

  await dashboard.signIn(page, "root", "#/settings/devices");
  await page.getByRole("button", { name: "Add a device" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Code").fill("dev-new");
  await dialog.getByLabel("Owner").fill("ana");
  await dialog.getByLabel("Name").fill(SCRIPT);
  await dialog.getByRole("button", { name: "Add a device" }).click();
  await dialog.getByRole("img", { name: "The token as a QR code" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await dialog.getByRole("button", { name: "Copy" }).click();
  await dialog.getByText("Copied").waitFor();
  const token = await page.evaluate(() => navigator.clipboard.readText());
  expect(token).toMatch(/^tgd_/);
  expect(await stumbles(page)).toEqual([]);
  await shoot(page, "settings-token");
  await dialog.getByRole("button", { name: "I have kept it" }).click();
  await row(page, "dev-new").getByText(SCRIPT).waitFor();
  expect(await page.content()).not.toContain(token);

  await (await choose(page, SCRIPT, "Make a new token")).getByRole("button", { name: "Make a new token" }).click();
  await dialog.getByText("It is shown this once").waitFor();
  expect(await dialog.getByRole("region", { name: "The token" }).innerText()).not.toBe(token);
  await dialog.getByRole("button", { name: "I have kept it" }).click();
  await page.keyboard.press("Escape");
  for (const [act, is] of [["Let it be a gateway at the edge", 1], ["Let it be no gateway at the edge any more", 0]] as const) {
    await (await choose(page, SCRIPT, act)).getByRole("button", { name: act, exact: true }).click();
    await page.getByText(`Done: ${act} (${SCRIPT})`).waitFor();
    await until(async () => await row(page, "dev-new").getByText("for a gateway at the edge").count() === is, "the list says so");
    await page.keyboard.press("Escape");
  }
  await (await choose(page, SCRIPT, "Give to a user")).getByLabel("Owner").fill("nobody-at-all");
  await dialog.getByRole("button", { name: "Give to a user" }).click();
  await dialog.getByRole("alert").filter({ hasText: "There is none of this name" }).waitFor();
  await dialog.getByLabel("Owner").fill("ben");
  await dialog.getByRole("button", { name: "Give to a user" }).click();
  await row(page, "dev-new").getByText("ben").waitFor();
  expect(await page.title()).toBe("Settings – Tidegate");
  expect(said.filter((one) => !one.includes("422"))).toEqual([]);
  await page.context().close();
});

test("who is no admin sees what is his, shares it, and takes it back", async () => {
  const { page } = await dashboard.open();

  await dashboard.signIn(page, "ana", "#/settings");
  await row(page, "dev-1").waitFor();
  expect(await row(page, "dev-2").count()).toBe(0);
  expect(await page.getByRole("link", { name: "Users" }).count()).toBe(0);
  expect(await page.getByRole("button", { name: "Add a device" }).count()).toBe(0);
  await page.getByRole("link", { name: "Vehicles" }).click();
  const dialog = await choose(page, "USV-1", "Shares");
  await dialog.getByText("It is shared with nobody.").waitFor();
  await dialog.getByLabel("Share with").fill("nobody-at-all");
  await dialog.getByRole("button", { name: "Share", exact: true }).click();
  await dialog.getByText("There is none of this name").waitFor();
  await dialog.getByLabel("Share with").fill("ben");
  await dialog.getByRole("button", { name: "Share", exact: true }).click();
  await dialog.getByRole("button", { name: "End the share with ben" }).waitFor();
  expect(await stumbles(page)).toEqual([]);
  await shoot(page, "settings-shares");
  await dialog.getByRole("button", { name: "End the share with ben" }).click();
  await dialog.getByText("It is shared with nobody.").waitFor();
  await page.context().close();
});

test("groups are made of devices, and a device that there is not is told at its field", async () => {
  const { page } = await dashboard.open();

  await dashboard.signIn(page, "root", "#/settings/groups");
  await page.getByRole("button", { name: "Make a group" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("Harbour");
  await dialog.getByLabel("Devices").fill("dev-1, dev-none");
  await dialog.getByRole("button", { name: "Make a group" }).click();
  await dialog.getByRole("alert").filter({ hasText: "There is none of this name" }).waitFor();
  await dialog.getByLabel("Devices").fill("dev-1, dev-2");
  await dialog.getByRole("button", { name: "Make a group" }).click();
  await row(page, "Harbour").getByText("dev-1, dev-2").waitFor();
  await (await choose(page, "Harbour", "Take a device out of it")).getByLabel("Device").selectOption("dev-1");
  await dialog.getByRole("button", { name: "Take a device out of it" }).click();
  await row(page, "Harbour").getByText("dev-2", { exact: true }).waitFor();
  await page.keyboard.press("Escape");
  await (await choose(page, "Harbour", "Delete the group")).getByRole("button", { name: "Delete the group" }).click();
  await row(page, "Harbour").waitFor({ state: "detached" });
  await page.context().close();
});

test("a vehicle is added with its number, and things are deleted once that is meant", async () => {
  const { page } = await dashboard.open();
  const dialog = page.getByRole("dialog");

  await dashboard.signIn(page, "root", "#/settings/vehicles");
  await page.getByRole("button", { name: "Add a vehicle" }).click();
  await dialog.getByLabel("Code").fill("USV-77");
  await dialog.getByLabel("Number").fill("7700");
  await dialog.getByRole("button", { name: "Add a vehicle" }).click();
  await row(page, "USV-77").waitFor();
  expect(await dashboard.act("sql", { statement: "SELECT id FROM vehicles WHERE code = 'USV-77'" })).toEqual([[7700]]);
  for (const [part, code] of [["Vehicles", "USV-77"], ["Devices", "dev-2"]] as const) {
    await page.getByRole("link", { name: part }).last().click();
    await (await choose(page, code, "Delete")).getByText("It cannot be undone").waitFor();
    expect(await stumbles(page)).toEqual([]);
    if (part === "Devices") await shoot(page, "settings-delete");
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await page.keyboard.press("Escape");
    expect(await row(page, code).count()).toBe(1);
    await (await choose(page, code, "Delete")).getByRole("button", { name: "Delete" }).click();
    await row(page, code).waitFor({ state: "detached" });
  }
  await page.context().close();
});
