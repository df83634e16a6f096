/*
 * page.mjs URL user NAME PASSWORD [PICTURES] | URL guest
 *
 * Drives the page in Debian's Chromium. What must happen outside (the gateway stops, starts) is said
 * on standard output and answered on standard input. Ends with "all good", or with 1.
 */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [url, role, name, password, pictures] = process.argv.slice(2);
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function outside(wish) {
  console.log(wish);
  await lines.next();
}

async function picture(page, file) {
  if (pictures) await page.screenshot({ path: join(pictures, `${file}.png`), fullPage: true });
}

const text = (page, selector) => page.locator(selector).innerText();
const state = (page, wanted) => page.waitForFunction(
  (value) => document.getElementById("state").dataset.state === value, wanted, { timeout: 40000 });
const rows = (page, n) => page.waitForFunction(
  (least) => document.querySelectorAll("#rows tr").length >= least, n, { timeout: 30000 });

/* What a page must never do, whatever happens on it. */
function watch(page, faults) {
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) faults.push(message.text());
  });
  page.on("request", (request) => {
    const target = new URL(request.url());
    if (target.protocol !== "data:" && target.host !== new URL(url).host)
      faults.push(`asked elsewhere: ${target.origin}`);
  });
  page.on("websocket", (socket) => {
    if (/[?&]token=/.test(socket.url())) faults.push("a token in a URL");
  });
}

async function noOverflow(page) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `the page is ${wide} px too wide`);
}

async function isAccessible(page) {
  const nameless = await page.evaluate(() => [...document.querySelectorAll("input, select, button, canvas")]
    .filter((item) => !item.hidden && !(item.labels?.length || item.getAttribute("aria-label")
      || item.textContent.trim()))
    .map((item) => item.outerHTML));
  assert.deepEqual(nameless, []);
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  assert.equal(await page.locator("h1").count(), 1);
}

async function signsIn(page) {
  await page.goto(url);
  await page.locator("#login").waitFor();
  await isAccessible(page);
  await picture(page, "sign-in");
  await page.fill("#username", name);
  await page.fill("#password", "wrong");
  await page.keyboard.press("Enter");
  await page.locator("#login-error:not(:empty)").waitFor();
  assert.match(await text(page, "#login-error"), /wrong/);
  await page.fill("#password", password);
  await page.keyboard.press("Enter");
  await state(page, "open");
  assert.equal(await text(page, "#state"), "Live");
  assert.equal(await text(page, "#who"), name);
  console.log("signed in");
}

async function showsMessages(page) {
  await rows(page, 10);
  const kinds = await page.locator("#rows .kind").allInnerTexts();
  assert.ok(kinds.length > 0);
  await page.waitForFunction(() => [...document.querySelectorAll(".tile .value")]
    .every((value) => Number(value.textContent) > 0));
  await page.waitForFunction(() => [...document.querySelectorAll(".tile .rate")]
    .every((rate) => parseFloat(rate.textContent) > 0));
  await page.waitForFunction(() => /\d+ ms/.test(document.getElementById("latency").textContent));
  console.log("messages and counts are shown");
}

async function showsOnesOwn(page) {
  await page.waitForFunction(() => document.querySelectorAll("#vehicle option").length === 3);
  const names = await page.locator("#vehicle option").allInnerTexts();
  assert.deepEqual(names, ["All vehicles", "USV-1", "USV-3"]);
  assert.doesNotMatch(await page.content(), /USV-2/);
  await page.waitForFunction(() => /2 of 2/.test(document.getElementById("map-note").textContent));
  console.log("only what is visible to the user is shown");
}

async function isNotFooled(page) {
  await page.waitForFunction(() => document.getElementById("rows").textContent.includes("<img src=x"));
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.locator("#rows img, #rows script").count(), 0);
  console.log("data stays text");
}

async function filters(page) {
  await page.selectOption("#vehicle", { label: "USV-3" });
  await rows(page, 3);
  let shown = await page.locator("#rows td:nth-child(2)").allInnerTexts();
  assert.deepEqual([...new Set(shown)], ["USV-3"]);
  assert.match(await text(page, "#detail"), /AUTO/);
  await picture(page, "one-vehicle");

  await page.selectOption("#vehicle", "");
  await page.selectOption("#kind", "sensor_log");
  await rows(page, 3);
  shown = await page.locator("#rows .kind").allInnerTexts();
  assert.deepEqual([...new Set(shown)], ["Sensor logs"]);
  await page.selectOption("#kind", "");

  await page.locator("#fleet button", { hasText: "USV-1" }).focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("#vehicle option:checked").innerText(), "USV-1");
  await page.selectOption("#vehicle", "");
  console.log("a vehicle and a kind can be chosen");
}

async function pauses(page) {
  await rows(page, 40);
  await page.locator("#log-scroll").evaluate((log) => { log.scrollTop = 200; });
  await page.locator("#resume:not([hidden])").waitFor();
  const before = await text(page, "#rows tr:first-child");
  await page.waitForFunction(() => parseInt(document.getElementById("resume").textContent, 10) > 20);
  assert.equal(await text(page, "#rows tr:first-child"), before);
  await page.click("#resume");
  await page.waitForFunction((old) => document.querySelector("#rows tr").innerText !== old, before);
  assert.ok(await page.locator("#resume").isHidden());

  await page.click("#pause");
  assert.equal(await page.locator("#pause").getAttribute("aria-pressed"), "true");
  await page.locator("#resume:not([hidden])").waitFor();
  await page.click("#pause");
  console.log("the log waits while it is read");
}

async function comesBack(page) {
  await outside("stop the gateway");
  await state(page, "wait");
  assert.match(await text(page, "#state"), /trying again|Reconnecting/);
  await picture(page, "reconnecting");
  await outside("start the gateway");
  await state(page, "open");
  await page.selectOption("#kind", "vehicle_log");
  await rows(page, 3);
  await page.selectOption("#kind", "");
  console.log("the page comes back by itself");
}

async function survivesReload(page) {
  await page.reload();
  await state(page, "open");
  await rows(page, 3);
  console.log("a reload keeps the session");
}

async function fitsEverywhere(page) {
  await page.waitForFunction(() => /2 of 2/.test(document.getElementById("map-note").textContent));
  await isAccessible(page);
  for (const [width, height] of [[1400, 950], [820, 1100], [360, 740]]) {
    await page.setViewportSize({ width, height });
    await page.waitForTimeout(600); /* for the picture, not for the test */
    await noOverflow(page);
    await picture(page, `light-${width}`);
  }
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 1400, height: 950 });
  await page.waitForTimeout(600);
  await picture(page, "dark-1400");
  console.log("it fits a phone and a desk");
}

async function signsOut(page) {
  await page.click("#sign-out");
  await page.locator("#login").waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.getItem("tidegate.token")), null);
  console.log("signing out forgets the token");
}

const folder = mkdtempSync(join(tmpdir(), "tidegate-browser-"));
const context = await chromium.launchPersistentContext(folder, {
  executablePath: "/usr/bin/chromium", args: FLAGS, colorScheme: "light",
  viewport: { width: 1400, height: 950 },
});
const faults = [];
let code = 0;
try {
  const page = context.pages()[0] ?? await context.newPage();
  watch(page, faults);
  if (role === "guest") {
    await page.goto(url);
    await state(page, "open");
    assert.equal(await text(page, "#who"), "Guest");
    await rows(page, 5);
  } else {
    const steps = [signsIn, showsMessages, showsOnesOwn, isNotFooled, filters, pauses, comesBack,
      survivesReload, fitsEverywhere, signsOut];
    for (const step of steps) await step(page);
  }
  assert.deepEqual(faults, []);
  console.log("all good");
} catch (error) {
  console.log(`FAILED: ${error.stack}`);
  console.log(`faults: ${JSON.stringify(faults)}`);
  code = 1;
} finally {
  await context.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(code);
