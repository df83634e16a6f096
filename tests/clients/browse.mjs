// A page in Debian's Chromium, in a time zone of its own: whatever it logs as a JSON object is an event.
// It is told by its input to go offline and online, to load again, and what to type and to click.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { args, atEnd, onCommand, say } from "./report.mjs";

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"];
const folder = mkdtempSync(join(tmpdir(), "tidegate-browse-"));
let context;

function watch(page) {
  page.on("pageerror", (error) => say("error", { message: error.message }));
  page.on("console", (message) => {
    const text = message.text();
    if (text.startsWith("{")) say(JSON.parse(text).event, JSON.parse(text));
    else say("console", { kind: message.type(), text: text.slice(0, 300) });
  });
}

const commands = {
  offline: () => context.setOffline(true),
  online: () => context.setOffline(false),
  reload: (page) => page.reload(),
  goto: (page, url) => page.goto(url),
  fill: (page, [selector, text]) => page.fill(selector, text),
  click: (page, selector) => page.click(selector),
};

let end;
const over = new Promise((resolve) => (end = resolve));
atEnd(() => end());
try {
  context = await chromium.launchPersistentContext(folder, {
    executablePath: "/usr/bin/chromium", args: FLAGS, timezoneId: process.env.TZ, locale: args.locale ?? "en-GB",
  });
  const page = context.pages()[0] ?? (await context.newPage());
  watch(page);
  onCommand(async ({ name, value }) => {
    try {
      await commands[name](page, value);
      say("done", { name });
    } catch (error) {
      say("error", { name, message: error.message });
    }
  });
  await page.goto(args.page, { timeout: 60000 });
  say("loaded", { origin: await page.evaluate(() => window.origin), node: process.version });
  await over;
} catch (error) {
  say("error", { message: error.message });
} finally {
  await context?.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(0);
