/** What an operator sees of several gateways: two real ones, of which one dies, comes back, is drained and goes. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { shoot, stumbles, useDashboard } from "./stack";

const dashboard = useDashboard();
const row = (page: Page, name: string) => page.getByRole("row").filter({ has: page.getByRole("rowheader", { name }) });

test("of one gateway alone nothing is said of a cluster", async () => {
  const { page } = await dashboard.open();

  await dashboard.signIn(page, "root", "#/operation/cluster");
  await page.getByText("All is well").waitFor();
  expect(await page.getByRole("link", { name: "Cluster" }).count()).toBe(0);
  await page.context().close();
});

test("of two one sees who is there, who has which slot, what a dead one's disk has, and who is drained", async () => {
  const { page, said } = await dashboard.open();

  await dashboard.act("cluster");
  await dashboard.signIn(page, "root", "#/operation");
  await page.getByRole("link", { name: "Cluster" }).click();
  await page.getByText("All 2 gateways are there, and each slot is in the hands of one").waitFor();
  for (const name of ["n1", "n2"]) expect(await row(page, name).innerText()).toMatch(/there\s+\d, \d\s+\d/);
  for (let n = 0; n < 4; n++) expect(await row(page, `Slot ${n}`).innerText()).toMatch(/taken\s+n[12]/);
  expect(await stumbles(page)).toEqual([]);
  await shoot(page, "cluster");

  await dashboard.act("lose");
  await page.getByText(/^n2 has said nothing since \d/).waitFor();
  await page.getByText(/^The disk of n2 may have .*messages? of slot \d that are not stored, since \d/).first().waitFor();
  await page.getByText(/tidegate journal forget [0-9a-f]{16}/).first().waitFor();
  await row(page, "n2").getByText("silent").waitFor();
  await row(page, "n1").getByText("0, 1, 2, 3").waitFor();
  expect(await page.getByRole("row").filter({ hasText: "Slot" }).filter({ hasText: "n2" }).count()).toBe(0);
  expect(await stumbles(page)).toEqual([]);
  await shoot(page, "cluster-dead");

  await dashboard.act("find");
  await page.getByText("All 2 gateways are there, and each slot is in the hands of one").waitFor();
  await dashboard.act("cli", { words: ["cluster", "drain", "n2"] });
  await row(page, "n2").getByText("drained: takes no slot").waitFor();
  await row(page, "n2").getByText("none").waitFor();
  await row(page, "n1").getByText("0, 1, 2, 3").waitFor();
  await shoot(page, "cluster-drained");
  await dashboard.act("leave");
  await page.getByText("n2 is drained, and not there").waitFor();
  await page.getByText("tidegate cluster drain n2 --undo").waitFor();
  await row(page, "n2").waitFor({ state: "detached" });
  expect(said.filter((one) => !one.includes("503"))).toEqual([]); // it asks while the database is away
  await page.context().close();
});
