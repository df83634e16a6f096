/** The servers of a test file (those of clients/js), what is built, and Debian's Chromium to look at it. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Transform } from "node:stream";
import { promisify } from "node:util";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { afterAll, beforeAll, inject } from "vitest";
import { startStack, until, type Do, type Where } from "../../js/test/stack";

export { until };

const root = fileURLToPath(new URL("..", import.meta.url));
const PATIENCE_MS = 240_000;
const PAGE_PATIENCE_MS = 90_000; /* a line that fell silent is given up after 30 s */

/** By the first file of tests that looks at it. */
async function built(folder: string): Promise<string> {
  const [lock, dist, failed] = ["lock", "dist", "failed"].map((name) => join(folder, name)) as [string, string, string];

  try {
    mkdirSync(lock);
  } catch {
    while (!existsSync(join(folder, "done")) && !existsSync(failed)) await new Promise((resolve) => setTimeout(resolve, 100));
    if (existsSync(failed)) throw new Error(readFileSync(failed, "utf8"));
    return dist;
  }
  try {
    await promisify(execFile)(process.execPath, ["scripts/build.mjs", "--outDir", dist], { cwd: root });
    writeFileSync(join(folder, "done"), "");
  } catch (error) {
    writeFileSync(failed, `${error}`);
    throw error;
  }
  return dist;
}

export interface Road {
  /** One way. */
  ms: number;
  /** Of pieces: so many are sent again, and all behind them wait, as TCP does. */
  loss: number;
  /** What goes by sockets waits for it. */
  held?: Promise<void> | undefined;
  /** As behind a proxy that knows neither WebSocket nor streams. */
  hasRequestsAlone?: boolean;
}

/** As TCP's, of a road of 200 ms. */
const RESEND_MS = 600;

/** What goes through arrives later, in its order. */
function slowed(road: Road): Transform {
  const waiting: Buffer[] = []; /* timers of one moment come in any order */
  let free = 0; /* nothing that comes later arrives before it */

  return new Transform({
    readableHighWaterMark: 1 << 24,
    writableHighWaterMark: 1 << 24,
    transform(piece, _, done) {
      free = Math.max(free, Date.now() + road.ms + (Math.random() < road.loss ? RESEND_MS : 0));
      waiting.push(piece);
      setTimeout(() => waiting.length > 0 && this.push(waiting.shift()), free - Date.now());
      done();
    },
    flush(done) {
      setTimeout(() => {
        for (const piece of waiting.splice(0)) this.push(piece);
        done();
      }, Math.max(0, free - Date.now()));
    },
  });
}

/** What goes through waits while the road is held. */
const gate = (road: Road): Transform => new Transform({
  highWaterMark: 1 << 24,
  transform(piece, _, done) {
    void Promise.resolve(road.held).then(() => done(null, piece));
  },
});

/** The gateway below a path, as a proxy has it. */
async function serve(gateway: URL, prefix: string, road: Road): Promise<{ server: Server; url: string }> {
  const server = createServer((asked, answer) => {
    const path = new URL(asked.url!, "http://x").pathname;
    if (!path.startsWith(prefix)) return void answer.writeHead(404).end();
    if (road.hasRequestsAlone && asked.headers.accept?.includes("text/event-stream")) return void answer.writeHead(502).end();
    const passed = request(new URL(asked.url!.slice(prefix.length), gateway), { method: asked.method!, headers: asked.headers },
      (got) => got.pipe(slowed(road)).pipe(answer.writeHead(got.statusCode!, got.headers)));
    passed.on("error", () => answer.destroy());
    answer.on("close", () => passed.destroy());
    asked.pipe(passed);
  });

  server.on("upgrade", (asked, socket) => {
    if (road.hasRequestsAlone) return void socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    const there = connect(Number(gateway.port), gateway.hostname);
    const headers = Object.entries(asked.headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    there.write(`GET /${asked.url!.slice(prefix.length)} HTTP/1.1\r\n${headers}\r\n`);
    there.pipe(slowed(road)).pipe(gate(road)).pipe(socket).pipe(slowed(road)).pipe(gate(road)).pipe(there);
    for (const one of [there, socket]) one.on("error", () => [there, socket].forEach((end) => end.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as { port: number }).port}${prefix}` };
}

export interface Opened {
  page: Page;
  /** What the page has complained of: errors, and what the policy refused. */
  said: string[];
}

export interface Dashboard {
  readonly where: Where;
  readonly url: string;
  /** Between the browser and the gateway; may change at any time. */
  readonly road: Road;
  act: Do;
  open(options?: BrowserContextOptions): Promise<Opened>;
  /** By its form. */
  signIn(page: Page, username: string, at?: string): Promise<void>;
}

export const PASSWORD = "correct horse battery";

export function useDashboard(): Dashboard {
  const ends: (() => unknown)[] = [];
  let stack: Awaited<ReturnType<typeof startStack>>;
  let browser: Browser;
  let url = "";
  const road: Road = { ms: 0, loss: 0 };
  const complaints = new WeakMap<Page, string[]>();

  beforeAll(async () => {
    process.env.DASHBOARD = await built(inject("folder"));
    stack = await startStack(new URL("stack.py", import.meta.url));
    ends.push(() => stack.stop());
    const served = await serve(new URL(stack.where.url), "/some/prefix/", road);
    ends.push(() => void (served.server.closeAllConnections(), served.server.close()));
    url = served.url;
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"] });
    ends.push(() => browser.close());
  }, PATIENCE_MS);
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  }, PATIENCE_MS);
  return {
    get where() {
      return stack.where;
    },
    get url() {
      return url;
    },
    road,
    act: (what, args) => stack.act(what, args),
    async open(options = {}) {
      const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1280, height: 800 }, ...options });
      context.setDefaultTimeout(PAGE_PATIENCE_MS);
      const page = await context.newPage();
      const said: string[] = [];

      page.on("pageerror", (error) => said.push(error.message));
      page.on("console", (message) => {
        if (message.type() === "error") said.push(message.text());
      });
      complaints.set(page, said);
      return { page, said };
    },
    async signIn(page, username, at = "") {
      await page.goto(`${url}${at}`);
      await page.getByLabel("User name").fill(username);
      await page.getByLabel("Password").fill(PASSWORD);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("status").getByText("Live").waitFor();
      // the sign-in asks whether guests may enter; where that was answered, and it was no, the browser has said so
      const said = complaints.get(page)!;
      said.splice(0, said.length, ...said.filter((one) => !one.includes("401")));
    },
  };
}

const SHOTS = process.env.TIDEGATE_SCREENSHOTS;

/** Pictures for people: light, dark and on a phone. */
export async function shoot(page: Page, name: string): Promise<void> {
  if (!SHOTS) return;
  mkdirSync(SHOTS, { recursive: true });
  const size = page.viewportSize()!;
  const looks = [["light", 1280, 800], ["dark", 1280, 800], ["phone", 390, 844]] as const;

  for (const [look, width, height] of looks) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: look === "dark" ? "dark" : "light" });
    await page.waitForTimeout(1000); // for the eye, not for a test: what moves has come to rest
    await page.screenshot({ path: join(SHOTS, `${name}-${look}.png`) });
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(size);
}

/** What is seen at a place of the page, beside what is drawn there. */
export async function colourAt(page: Page, x: number, y: number): Promise<number[]> {
  const picture = await page.screenshot({ clip: { x, y, width: 1, height: 1 } });
  const blank = await page.context().newPage();

  try {
    return await blank.evaluate(async (bytes) => {
      const pen = new OffscreenCanvas(1, 1).getContext("2d")!;
      pen.drawImage(await createImageBitmap(new Blob([new Uint8Array(bytes)])), 0, 0);
      return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
    }, [...picture]);
  } finally {
    await blank.close();
  }
}

/** What a screen reader's user would stumble over, by axe. */
export async function stumbles(page: Page): Promise<string[]> {
  if (!await page.evaluate(() => "axe" in window))
    await page.evaluate(readFileSync(join(root, "node_modules/axe-core/axe.min.js"), "utf8"));
  const found = await page.evaluate(async () => {
    const { violations } = await (window as any).axe.run();
    return violations.filter(({ impact }: any) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }: any) => `${id}: ${nodes.map(({ html }: any) => html).join(" ").slice(0, 400)}`);
  });
  return found as string[];
}
