/** Who only looks: guests and viewers; and how one looks at the map. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { colourAt, shoot, stumbles, until, useDashboard } from "./stack";

const dashboard = useDashboard();
const place = (latitude: number, longitude = 9.9) => dashboard.act("publish", { topic: "seano/USV-1/vehicle_log", payload: JSON.stringify({ latitude, longitude, heading: 45, speed: 4 }) });
const PIXEL = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");

/** The middle of what is drawn above the map, and that of the map, on the page. */
const drawn = (page: Page) => page.evaluate(() => {
  const canvas = document.querySelector<HTMLCanvasElement>("canvas[aria-hidden]");
  const nothing = { n: 0, x: NaN, y: NaN, middle: { x: NaN, y: NaN } };
  if (!canvas?.width || !canvas.height) return nothing; // the map is not there yet
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d")!.getImageData(0, 0, width, height);
  const box = canvas.getBoundingClientRect();
  let [n, x, y] = [0, 0, 0];

  for (let at = 3; at < data.length; at += 4)
    if (data[at]! > 128) [n, x, y] = [n + 1, x + ((at >> 2) % width), y + Math.floor((at >> 2) / width)];
  return { n, x: box.x + x / n, y: box.y + y / n, middle: { x: box.x + box.width / 2, y: box.y + box.height / 2 } };
});

test("a click on a vehicle opens it, and the map goes where it goes, until somebody drags it", async () => {
  const { page, said } = await dashboard.open();

  await place(53.5);
  await dashboard.signIn(page, "ana");
  await page.getByText("1 vehicle in view").waitFor();
  await page.getByRole("button", { name: "Trails" }).click();
  await until(async () => (await drawn(page)).n > 0, "it is drawn");
  const { x, y } = await drawn(page);
  await page.mouse.click(x, y);
  const card = page.getByRole("complementary", { name: "USV-1" });
  await card.waitFor();
  expect(page.url()).toMatch(/#\/map\/\d+$/);
  await card.getByRole("button", { name: "Follow" }).click();
  await place(53.503, 9.905);
  await card.getByText("53.503").waitFor();
  await until(async () => {
    const now = await drawn(page);
    return Math.hypot(now.x - now.middle.x, now.y - now.middle.y) < 12;
  }, "it is in the middle");
  await page.mouse.move(640, 600);
  await page.mouse.down();
  await page.mouse.move(700, 500, { steps: 5 });
  await page.mouse.up();
  await until(async () => await card.getByRole("button", { name: "Follow" }).getAttribute("aria-pressed") === "false", "it follows no more");
  expect(said).toEqual([]);
  await page.context().close();
});

test("on a phone a vehicle that is opened, or followed, is above its card", async () => {
  const { page, said } = await dashboard.open({ viewport: { width: 390, height: 844 } });
  const card = page.getByRole("complementary", { name: "USV-1" });
  const isAbove = () => until(async () => {
    const [at, box] = [await drawn(page), await card.boundingBox()];
    return at.n > 0 && at.y < box!.y - 10;
  }, "it is above its card");

  await place(53.5);
  await dashboard.signIn(page, "ana");
  await page.getByRole("button", { name: "Trails" }).click();
  await until(async () => (await drawn(page)).n > 0, "it is drawn");
  const { x, y } = await drawn(page);
  await page.mouse.click(x, y);
  await card.waitFor();
  await isAbove();
  await card.getByRole("button", { name: "Follow" }).click();
  await place(53.503, 9.905);
  await card.getByText("53.503").waitFor();
  await isAbove();
  await card.getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Vehicles" }).click();
  await page.getByRole("button", { name: "USV-1" }).click();
  await isAbove();
  expect(said).toEqual([]);
  await page.context().close();
});

test("the map has the colours of the page, also where something is drawn while the system becomes dark", async () => {
  const { page } = await dashboard.open();
  const [light, dark] = [[207, 227, 236], [15, 37, 48]];
  const shows = (colour: number[]) => until(async () => `${await colourAt(page, 1000, 650)}` === `${colour}`, `the water is ${colour}`);

  await page.addInitScript(() => matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    history.replaceState(null, "", `#/map?${performance.now()}`);
    dispatchEvent(new HashChangeEvent("hashchange")); // drawn before anybody else hears of it
  }));
  await place(0, 0);
  await dashboard.signIn(page, "ana");
  await page.getByText("1 vehicle in view").waitFor();
  await shows(light);
  await page.emulateMedia({ colorScheme: "dark" });
  await shows(dark);
  await page.emulateMedia({ colorScheme: "light" });
  await shows(light);
  await page.context().close();
});

test("a viewer sees what is shared with him, and finds nothing that he may not do", async () => {
  const { page, said } = await dashboard.open();

  await dashboard.act("viewer", { name: "vera", of: "USV-1" });
  await dashboard.signIn(page, "vera");
  await page.getByText("1 vehicle in view").waitFor();
  await page.goto(`${dashboard.url}#/commands`);
  await page.getByText("No command has been sent yet").waitFor();
  expect(await page.getByRole("button", { name: "Send" }).count()).toBe(0);
  await page.goto(`${dashboard.url}#/settings`);
  await page.getByText("There are none yet").waitFor();
  expect(await page.getByRole("button", { name: /Add|Change/ }).count()).toBe(0);
  expect(await stumbles(page)).toEqual([]);
  expect(said).toEqual([]);
  await page.context().close();
});

test("tiles are those of the configuration, and an archive of them that cannot be read leaves the coast", async () => {
  const asked: string[] = [];

  await place(53.5);
  const open = async (): Promise<Page> => {
    const { page } = await dashboard.open();
    await page.route("https://pictures.example/**", (route) => {
      asked.push(`${route.request().url()} ${route.request().headers().range ?? ""}`);
      return route.fulfill({ contentType: "image/png", body: PIXEL, headers: { "Access-Control-Allow-Origin": "*" } });
    });
    await dashboard.signIn(page, "ana");
    await page.getByText("1 vehicle in view").waitFor();
    return page;
  };

  await dashboard.act("configure", { settings: { http__dashboard_tiles: "https://pictures.example/{z}/{x}/{y}.png", http__dashboard_attribution: "© Somebody" } });
  const tiles = await open();
  await until(() => asked.some((one) => /\/\d+\/\d+\/\d+\.png/.test(one)), "a tile is asked for");
  await tiles.getByText("© Somebody").first().waitFor();
  await tiles.context().close();
  asked.length = 0;
  await dashboard.act("configure", { settings: { http__dashboard_tiles: "https://pictures.example/region.pmtiles" } });
  const archive = await open();
  await until(() => asked.some((one) => /region\.pmtiles bytes=0-/.test(one)), "the archive's head is asked for");
  await until(async () => (await drawn(archive)).n > 0, "the vehicle is drawn all the same");
  await archive.context().close();
  await dashboard.act("configure", { settings: {} });
});

test("a guest looks around where the gateway lets guests in, and nowhere else", async () => {
  const { page } = await dashboard.open();

  await place(53.5);
  await page.goto(dashboard.url);
  await page.getByLabel("User name").waitFor();
  expect(await page.getByRole("button", { name: "Look around as a guest" }).count()).toBe(0);
  await dashboard.act("configure", { settings: { auth__anonymous: "/api/ws, tidegate.v1" } });
  await page.reload();
  await page.getByRole("button", { name: "Look around as a guest" }).click();
  await page.getByRole("status").getByText("Live").waitFor();
  await page.getByText("1 vehicle in view").waitFor();
  await shoot(page, "guest");
  expect(await page.getByRole("link", { name: "Operation" }).count()).toBe(0);
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
  await page.goto(`${dashboard.url}#/settings`);
  await page.getByText("Guests have nothing to set").waitFor();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("User name").waitFor();
  await page.context().close();
});

test("a vehicle that is out of the view is found by its name, or by its address, and the map goes there", async () => {
  const { page, said } = await dashboard.open();
  const list = page.getByRole("complementary", { name: "Vehicles" });

  await place(53.5);
  await dashboard.act("publish", { topic: "seano/USV-2/vehicle_log", payload: JSON.stringify({ latitude: -33.85, longitude: 151.3 }) });
  await dashboard.signIn(page, "root");
  await page.getByText("2 vehicles in view").waitFor();
  await list.getByRole("button", { name: "USV-1" }).click();
  await page.getByText("1 vehicle in view").waitFor();
  await list.getByRole("button", { name: /USV-2.*not here/ }).click();
  await page.getByRole("complementary", { name: "USV-2" }).getByText("-33.85").waitFor();
  await list.getByRole("button", { name: /USV-1.*not here/ }).waitFor();
  await page.getByText("1 vehicle in view").waitFor();
  expect(await list.getByRole("button", { name: /USV-2/ }).innerText()).not.toContain("not here");

  await page.evaluate(() => (location.hash = "#/alerts"));
  await page.getByRole("heading", { name: "Alerts" }).waitFor();
  await page.evaluate((id) => (location.hash = `#/map/${id}`), dashboard.where.ids["USV-1"]);
  await page.getByText("1 vehicle in view").waitFor();
  await list.getByRole("button", { name: /USV-2.*not here/ }).waitFor();
  expect(said).toEqual([]);
  await page.context().close();
});

test("of a vehicle that does not say where it is that is said", async () => {
  const { page } = await dashboard.open();

  await dashboard.act("sql", { statement: "INSERT INTO vehicles (code, user_id) SELECT 'USV-9', id FROM users WHERE username = 'ben'" });
  await until(async () => {
    await dashboard.act("publish", { topic: "seano/USV-9/vehicle_log", payload: `{"battery_voltage":12.5}` });
    return await dashboard.act("sql", { statement: "SELECT 1 FROM vehicle_logs l JOIN vehicles v ON v.id = l.vehicle_id WHERE v.code = 'USV-9' LIMIT 1" }).then((rows) => rows.length > 0);
  }, "it is stored");
  await dashboard.signIn(page, "ben");
  await page.getByRole("complementary", { name: "Vehicles" }).getByRole("button", { name: /USV-9/ }).click();
  await page.getByRole("complementary", { name: "USV-9" }).getByText("It does not say where it is").waitFor();
  await page.context().close();
});

test("until it is known what vehicles are called, nobody is told that none is called so", async () => {
  const { page } = await dashboard.open();
  const list = page.getByRole("complementary", { name: "Vehicles" });
  let free!: () => void;
  const held = new Promise<void>((resolve) => (free = resolve));

  await page.route(/\/api\/vehicles\?/, async (route) => {
    await held;
    await route.continue();
  });
  await dashboard.signIn(page, "ben");
  await list.getByRole("searchbox").fill("USV-2");
  expect(await list.getByRole("paragraph").innerText()).toBe("Loading…");
  free();
  await list.getByRole("button", { name: /USV-2/ }).waitFor();
  await list.getByRole("searchbox").fill("nobody");
  await list.getByText("No vehicle is called that").waitFor();
  await page.context().close();
});
