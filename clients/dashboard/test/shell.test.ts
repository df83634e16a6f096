/** Who may enter, and what tells him how he is connected. */
import { expect, test } from "vitest";
import { PASSWORD, shoot, stumbles, useDashboard } from "./stack";

const dashboard = useDashboard();

test("somebody signs in, is live, and a reload finds him signed in; out is out", async () => {
  const { page, said } = await dashboard.open();

  await dashboard.signIn(page, "ana");
  expect(await page.getByText("ana", { exact: true }).isVisible()).toBe(true);
  await page.reload();
  await page.getByRole("status").getByText("Live").waitFor();
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  expect(kept).not.toContain(PASSWORD);
  expect(Object.keys(JSON.parse(kept)[1])).toEqual(["tidegate.token"]);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
  expect(said).toEqual([]);
  await page.context().close();
});

test("a wrong password is told, and nobody is let in", async () => {
  const { page } = await dashboard.open();

  await page.goto(dashboard.url);
  await page.getByLabel("User name").fill("ana");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").getByText("User name or password is wrong").waitFor();
  expect(await stumbles(page)).toEqual([]);
  await shoot(page, "sign-in");
  await page.context().close();
});

test("the light says that there are requests alone, what is said comes by them, and it is live once more gets through", async () => {
  const { page } = await dashboard.open();
  const card = page.getByRole("complementary", { name: "USV-1" });
  const say = (latitude: number) => dashboard.act("publish", { topic: "seano/USV-1/vehicle_log", payload: JSON.stringify({ latitude, longitude: 9.9 }) });

  dashboard.road.hasRequestsAlone = true;
  try {
    await say(53.5);
    await page.goto(`${dashboard.url}#/map/${dashboard.where.ids["USV-1"]}`);
    await page.getByLabel("User name").fill("ana");
    await page.getByLabel("Password").fill(PASSWORD);
    await page.keyboard.press("Enter");
    const light = page.getByRole("status").getByText("Polling");
    await light.waitFor();
    expect(await light.getAttribute("title")).toBe("By requests: WebSocket does not get through");
    await card.getByText("53.5", { exact: true }).waitFor();
    await say(53.6);
    await card.getByText("53.6", { exact: true }).waitFor();
    expect(await stumbles(page)).toEqual([]);
    await shoot(page, "polling");
  } finally {
    dashboard.road.hasRequestsAlone = false;
  }
  await page.getByRole("status").getByText("Live").waitFor();
  await say(53.7);
  await card.getByText("53.7", { exact: true }).waitFor();
  await page.context().close();
});

test("the light says when the gateway is away, and when it is back", async () => {
  const { page } = await dashboard.open();

  await dashboard.signIn(page, "ben");
  await dashboard.act("kill");
  await page.getByRole("status").getByText("Connecting").waitFor();
  await dashboard.act("start");
  await page.getByRole("status").getByText("Live").waitFor();
  expect(await stumbles(page)).toEqual([]);
  await page.context().close();
});
