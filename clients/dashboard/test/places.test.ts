/** People and cameras. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { shoot, stumbles, until, useDashboard } from "./stack";

const dashboard = useDashboard();
const SCRIPT = `<img src=x onerror="document.title='broken'">`;
const seen = (data: object, type = "face_detected") => dashboard.act("publish", {
  topic: "surveillance/camera/dev-1/event", payload: JSON.stringify({ camera_id: "dev-1", event_type: type, timestamp: new Date().toISOString(), data }),
});

/** The pictures that an event names; those of before are seen after a reload, too. */
const withPictures = (page: Page) => page.route("https://pictures.example/**", (route) => route.fulfill({ contentType: "image/svg+xml", body: "<svg xmlns='http://www.w3.org/2000/svg'/>" }));

test("what a camera sees comes by itself, is text, and has its picture", async () => {
  const { page } = await dashboard.open();

  await withPictures(page);
  await dashboard.signIn(page, "ana", "#/cameras");
  await page.getByText("No camera has seen anything yet").waitFor();
  await seen({ confidence: 0.98, person_name: SCRIPT, snapshot_url: "https://pictures.example/1.jpg" });
  await page.getByRole("heading", { name: SCRIPT }).waitFor();
  expect(await page.getByRole("link").filter({ has: page.locator("img") }).getAttribute("href")).toBe("https://pictures.example/1.jpg");
  await page.route("https://pictures.example/gone.jpg", (route) => route.fulfill({ status: 404 }));
  await seen({ image_url: "https://pictures.example/gone.jpg" }, "gone");
  const lost = page.getByRole("link", { name: "The picture cannot be shown here: open it" });
  await lost.waitFor();
  expect(await lost.getAttribute("href")).toBe("https://pictures.example/gone.jpg");
  await seen({ [SCRIPT]: SCRIPT }, "motion");
  await page.getByRole("heading", { name: "motion" }).waitFor();
  expect(await page.title()).toBe("Cameras – Tidegate");
  expect(await stumbles(page)).toEqual([]);
  await page.reload();
  await page.getByRole("heading", { name: SCRIPT }).waitFor();
  await page.getByRole("heading", { name: "motion" }).waitFor();
  expect(await page.getByRole("link").filter({ has: page.locator("img") }).last().getAttribute("href")).toBe("https://pictures.example/1.jpg");
  await page.context().close();
});

test("people are counted as they come, by zone and over time", async () => {
  const { page, said } = await dashboard.open();

  await withPictures(page);
  await dashboard.act("devices", { user: "root" });
  await dashboard.signIn(page, "root", "#/people");
  await until(async () => /People about\s+[1-9]/.test(await page.getByRole("main").innerText()), "somebody is there");
  await page.getByRole("table", { name: "Devices over time" }).waitFor();
  await page.getByRole("button", { name: "Today" }).click();
  await page.getByRole("button", { name: "Hour" }).click();
  await shoot(page, "people");
  expect(await stumbles(page)).toEqual([]);
  await page.getByRole("link", { name: "Cameras" }).click();
  await until(async () => await page.getByRole("listitem").filter({ has: page.getByRole("heading") }).count() > 3, "a camera has seen something");
  await shoot(page, "cameras");
  expect(said).toEqual([]);
  await page.context().close();
});
