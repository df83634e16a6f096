/** Bad weather: what somebody sees when the gateway, the database, his token, his clock or his machine is not as it should be. */
import { expect, test } from "vitest";
import { shoot, until, useDashboard } from "./stack";

const dashboard = useDashboard();
const HOURS_MS = 5 * 3_600_000;
const say = (latitude: number) => dashboard.act("publish", { topic: "seano/USV-1/vehicle_log", payload: JSON.stringify({ latitude, longitude: 9.9, heading: 45 }) });

test("a gateway that is restarted is said to be away, and then all goes on by itself", async () => {
  const { page } = await dashboard.open();

  await dashboard.signIn(page, "root", "#/operation");
  await page.getByText("All is well").waitFor();
  await dashboard.act("kill");
  await page.getByRole("status").getByText("Connecting").waitFor();
  await page.getByText("The gateway does not answer").waitFor();
  await shoot(page, "weather-restart");
  await dashboard.act("start");
  await page.getByRole("status").getByText("Live").waitFor();
  await page.getByText("All is well").waitFor();
  await page.context().close();
});

test("without a database what is live goes on and says that it is not stored; nothing jumps when it is back", async () => {
  const { page } = await dashboard.open();

  await say(53.5);
  await dashboard.signIn(page, "ana", `#/map/${dashboard.where.ids["USV-1"]}`);
  const card = page.getByRole("complementary", { name: "USV-1" });
  await card.getByText("53.5", { exact: true }).waitFor();
  await dashboard.act("halt", { what: "postgres" });
  await until(async () => {
    await say(53.6);
    return await page.getByText("The database is away: what you see is live").count() > 0;
  }, "it is said");
  await card.getByText("53.6", { exact: true }).waitFor();
  await card.getByText("not stored yet").waitFor();
  await shoot(page, "weather-unstored");
  const later = Date.now() + 7_000;
  await until(() => Date.now() > later, "nothing has come for a while");
  expect(await page.getByText("The database is away").count()).toBe(1);
  expect(await card.getByText("not stored yet").count()).toBe(1);
  await page.evaluate(() => {
    const seen: string[] = (window as any).seen = [];
    new MutationObserver(() => {
      const now = /Latitude\s+([\d.]+)/i.exec(document.querySelector("aside[aria-label='USV-1']")?.textContent?.replace(/latitude/i, "Latitude ") ?? "")?.[1];
      if (now && now !== seen.at(-1)) seen.push(now);
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
  await dashboard.act("resume", { what: "postgres" });
  await page.getByText("The database is away").waitFor({ state: "detached" });
  expect(await dashboard.act("metric", { name: "tidegate_in_journal" })).toBe(0);
  expect(await card.getByText("not stored yet").count()).toBe(0);
  await card.getByText("53.6", { exact: true }).waitFor();
  await say(53.7);
  await card.getByText("53.7", { exact: true }).waitFor();
  const seen = await page.evaluate(() => (window as any).seen as string[]);
  expect(seen.at(-1)).toBe("53.7");
  expect(seen.filter((one) => Number(one) < 53.6)).toEqual([]);
  await page.context().close();
});

test("a machine that slept for longer than its token lasts asks to sign in again, and says why", async () => {
  const { page } = await dashboard.open();
  const token = await dashboard.act("token", { user: "ana", ttl: 20 });
  const end = Date.now() + 21_000;

  await page.addInitScript((kept) => sessionStorage.setItem("tidegate.token", kept), token);
  await page.goto(dashboard.url);
  await page.getByRole("status").getByText("Live").waitFor();
  await dashboard.act("drop");
  try {
    await page.getByRole("status").getByText("Connecting").waitFor();
    await until(() => Date.now() > end, "the token is over");
  } finally {
    await dashboard.act("mend");
  }
  await page.getByText("Your session has ended: please sign in again").waitFor();
  await shoot(page, "weather-over");
  await page.context().close();
});

test.each([["ahead", HOURS_MS], ["behind", -HOURS_MS]])("by a clock that is five hours %s all is as old as it is", async (_, off) => {
  const { page } = await dashboard.open();

  await page.addInitScript((off) => {
    const Real = Date;
    (window as any).Date = class extends Real {
      constructor(...given: [any]) {
        if (given.length) super(...given);
        else super(Real.now() + off);
      }
      static override now = (): number => Real.now() + off;
    };
  }, off);
  await dashboard.act("publish", { topic: "seano/USV-7/vehicle_log", payload: "{}" });
  await dashboard.act("publish", { topic: "ems/dev-1/telemetry", payload: `{"power":42}` });
  await dashboard.signIn(page, "root", "#/operation/letters");
  await page.getByRole("row").filter({ hasText: "USV" }).or(page.getByRole("row").filter({ hasText: "vehicle" })).first().waitFor();
  expect(await page.getByRole("row").last().innerText()).toMatch(/now|sec\.? ago|1 min\.? ago/);
  await page.goto(`${dashboard.url}#/map/${dashboard.where.ids["USV-1"]}`);
  await until(async () => {
    await say(53.8);
    return /now|sec\.? ago/.test(await page.getByRole("complementary", { name: "USV-1" }).locator("header").innerText());
  }, "it is of now");
  await page.goto(`${dashboard.url}#/devices/${dashboard.where.ids["dev-1"]}`);
  await page.getByRole("region", { name: "power" }).getByText("42", { exact: true }).waitFor();
  await page.context().close();
});

test("while a clock is mended, or goes wrong, with the page open, all stays as old as it is", async () => {
  const { page } = await dashboard.open();
  const header = page.getByRole("complementary", { name: "USV-1" }).locator("header");
  const off = (ms: number) => page.evaluate((ms) => (window as any).off = ms, ms);
  /** What each frame showed while the clock jumped, and until it was drawn anew a little later. */
  const shown = async (ms: number): Promise<string[]> => {
    const answer = page.waitForResponse((one) => one.url().endsWith("/livez"));
    await page.evaluate(() => {
      const seen = (window as any).seen = new Set<string>();
      const look = (): void => {
        seen.add(document.querySelector("aside[aria-label='USV-1'] header p")!.textContent!);
        if ((window as any).seen === seen) requestAnimationFrame(look);
      };
      look();
    });
    await off(ms);
    await answer;
    await say(10 + ++n);
    await page.getByRole("complementary", { name: "USV-1" }).getByText(`${10 + n}`, { exact: true }).waitFor();
    return page.evaluate(() => [...(window as any).seen]);
  };
  let n = 0;

  await page.addInitScript((ms) => {
    const Real = Date;
    (window as any).off ??= ms;
    const at = (): number => Real.now() + (window as any).off;
    (window as any).Date = class extends Real {
      constructor(...given: [any]) {
        if (given.length) super(...given);
        else super(at());
      }
      static override now = at;
    };
  }, HOURS_MS);
  await say(53.7);
  await dashboard.signIn(page, "ana", `#/map/${dashboard.where.ids["USV-1"]}`);
  await header.getByText(/now|sec\.? ago/).waitFor();
  for (const ms of [0, -HOURS_MS, HOURS_MS])
    for (const words of await shown(ms)) expect(words).toMatch(/now|sec\.? ago/);
  await page.context().close();
});

test("a machine that is six times slower stays live with a fleet, and finds one of it", async () => {
  const { page, said } = await dashboard.open();
  const slow = await page.context().newCDPSession(page);

  await dashboard.act("vessels", { user: "root" });
  await slow.send("Emulation.setCPUThrottlingRate", { rate: 6 });
  await dashboard.signIn(page, "root");
  await until(async () => /\d\d vehicles in view/.test(await page.getByRole("complementary").innerText()), "the fleet is there");
  await page.getByRole("searchbox").fill("breakaway");
  await page.getByRole("button", { name: "NORWEGIAN BREAKAWAY" }).click();
  await page.getByRole("complementary", { name: "NORWEGIAN BREAKAWAY" }).waitFor();
  expect(await page.getByRole("status").getByText("Live").count()).toBe(1);
  expect(said).toEqual([]);
  await page.context().close();
});

test("by a road of 200 ms that loses one piece in twenty, all is live, and nothing is missing", async () => {
  const { page, said } = await dashboard.open();

  Object.assign(dashboard.road, { ms: 200, loss: 0.05 });
  try {
    await dashboard.signIn(page, "ana", `#/map/${dashboard.where.ids["USV-1"]}`);
    const card = page.getByRole("complementary", { name: "USV-1" });
    await card.getByRole("tab", { name: "Log" }).click();
    await dashboard.act("publish_many", { topic: "seano/USV-1/raw_log", count: 40 });
    await card.getByText("39", { exact: true }).waitFor();
    for (let n = 0; n < 40; n++) expect(await card.getByText(`${n}`, { exact: true }).count()).toBeGreaterThan(0);
    await dashboard.act("kill");
    await page.getByRole("status").getByText("Connecting").waitFor();
    await dashboard.act("start");
    await page.getByRole("status").getByText("Live").waitFor();
    await say(53.9);
    await card.getByRole("tab", { name: "State" }).click();
    await card.getByText("53.9", { exact: true }).waitFor();
    expect(said.filter((one) => !/WebSocket|Failed to load/.test(one))).toEqual([]);
  } finally {
    Object.assign(dashboard.road, { ms: 0, loss: 0 });
  }
  await page.context().close();
});

test("a machine that slept for an hour is live again by itself, with what was said meanwhile", async () => {
  const { page } = await dashboard.open();
  const lifecycle = (name: string) => page.evaluate((name) => document.dispatchEvent(new Event(name)), name);

  await page.addInitScript(() => {
    const Real = Date;
    (window as any).slept = 0;
    (window as any).Date = class extends Real {
      constructor(...given: [any]) {
        if (given.length) super(...given);
        else super(Real.now() + (window as any).slept);
      }
      static override now = (): number => Real.now() + (window as any).slept;
    };
  });
  await say(54.1);
  await dashboard.signIn(page, "ana", `#/map/${dashboard.where.ids["USV-1"]}`);
  const card = page.getByRole("complementary", { name: "USV-1" });
  await card.getByText("54.1", { exact: true }).waitFor();
  await lifecycle("freeze");
  await page.evaluate((ms) => (window as any).slept = ms, HOURS_MS / 5);
  await say(54.2);
  await until(async () => await dashboard.act("metric", { name: "tidegate_in_journal" }) === 0, "it is stored");
  await lifecycle("resume");
  await page.getByRole("status").getByText("Live").waitFor();
  await card.getByText("54.2", { exact: true }).waitFor();
  await page.context().close();
});
