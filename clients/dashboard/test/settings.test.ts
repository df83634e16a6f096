/** Users, devices, vehicles, shares and groups, as those who may set them see them. */
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { PASSWORD, shoot, stumbles, useDashboard } from "./stack";

const dashboard = useDashboard();
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
