/** The fleet on a map. */
import { expect, test } from "vitest";
import { shoot, stumbles, until, useDashboard } from "./stack";

const dashboard = useDashboard();
const SCRIPT = `<img src=x onerror="document.title='broken'"><script>document.title='broken'</script>`;
const place = (latitude: number, longitude: number) => JSON.stringify({ latitude, longitude, heading: 45, speed: 4.5 });
const say = (kind: string, payload: string, code = "USV-1") => dashboard.act("publish", { topic: `seano/${code}/${kind}`, payload });

test("a vehicle is found by its name, opened, and its log is text", async () => {
  const { page, said } = await dashboard.open();

  await dashboard.act("sql", { statement: "UPDATE vehicles SET name = %s WHERE code = 'USV-1'", values: [SCRIPT] });
  await say("vehicle_log", place(53.5, 9.9));
  await say("raw_log", SCRIPT);
  await dashboard.signIn(page, "ana");
  await page.getByText("1 vehicle in view").waitFor();
  await page.getByRole("searchbox", { name: "Find a vehicle" }).fill("usv-1");
  await page.getByRole("button", { name: SCRIPT }).click();
  const card = page.getByRole("complementary", { name: SCRIPT });
  await card.getByText("4.5").waitFor();
  await card.getByRole("tab", { name: "Log" }).click();
  await card.getByText(SCRIPT).last().waitFor();
  await say("raw_log", "and on it goes");
  await card.getByText("and on it goes").waitFor();
  expect(await page.title()).toBe("Map – Tidegate");
  expect(await stumbles(page)).toEqual([]);
  expect(said).toEqual([]);
  await page.context().close();
});

test("what others own is on nobody else's map", async () => {
  const { page } = await dashboard.open();

  await say("vehicle_log", place(53.5, 9.9), "USV-2");
  await dashboard.signIn(page, "ana");
  await page.getByText("1 vehicle in view").waitFor();
  expect(await page.getByText("USV-2").count()).toBe(0);
  await page.context().close();
});

test("a fleet moves off a coast, its clusters open, and one of it has a track", async () => {
  const { page, said } = await dashboard.open();
  const n = await dashboard.act("vessels", { user: "root" });

  await dashboard.signIn(page, "root");
  await until(async () => /\d\d vehicles in view/.test(await page.getByRole("complementary").innerText()), "the fleet is there");
  await until(async () => await dashboard.act("metric", { name: "tidegate_committed_total" }) > 900, "the recording is under way");
  await page.getByRole("button", { name: "Whole fleet" }).click();
  await shoot(page, "map");
  expect(n).toBeGreaterThan(50);
  await page.getByRole("searchbox").fill("breakaway");
  await page.getByRole("button", { name: "NORWEGIAN BREAKAWAY" }).click();
  await page.getByLabel("Where it was").selectOption({ label: "Track: 24 hours" });
  await page.getByText(/up to \d+(\.\d)? m\/s/).waitFor(); // as it has said, and not as the replay moves it, 300 times as fast
  expect(Number(/up to ([\d.]+)/.exec(await page.getByText(/up to/).innerText())?.[1])).toBeLessThan(30);
  await shoot(page, "vehicle");
  expect(said).toEqual([]);
  await page.context().close();
});
