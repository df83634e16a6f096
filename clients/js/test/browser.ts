/** A fresh project of Vite and React with the packed library in it, and Debian's Chromium to look at it. */
import { spawn, type ChildProcess } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium, type Browser, type LaunchOptions } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import { pack, run } from "./packed.js";
import { until } from "./stack.js";

const PATIENCE_MS = 300_000;
/** Is this machine for the browser, which does not know so: what comes from it by HTTP is not safe. */
export const ELSEWHERE = "app.test";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function makeProject(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-app-"));

  cpSync(fileURLToPath(new URL("app", import.meta.url)), folder, { recursive: true });
  const packed = await pack();
  await run("npm", ["install", "--no-audit", "--no-fund", "--silent", packed.tarball], { cwd: folder });
  rmSync(packed.folder, { recursive: true });
  return folder;
}

/** Vite as a developer starts it, or, with `preview`, what is built for users. @param way how the browser is started */
export function useApp(preview: boolean, way: Pick<LaunchOptions, "ignoreDefaultArgs"> = {}): { readonly url: string; readonly browser: Browser } {
  let folder: string | undefined;
  let vite: ChildProcess | undefined;
  let browser: Browser | undefined;
  let url = "";

  beforeAll(async () => {
    const port = await freePort();
    folder = await makeProject();
    const program = [join(folder, "node_modules/vite/bin/vite.js")];
    if (preview) await run(process.execPath, [...program, "build", "--logLevel", "error"], { cwd: folder });
    vite = spawn(process.execPath, [...program, ...(preview ? ["preview"] : []), "--port", `${port}`, "--strictPort", "--host", "127.0.0.1"],
      { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
    url = `http://127.0.0.1:${port}/`;
    await until(() => fetch(url).then(({ ok }) => ok, () => false), "Vite answers");
    browser = await chromium.launch({ ...way, executablePath: "/usr/bin/chromium", args: ["--no-sandbox", `--host-resolver-rules=MAP ${ELSEWHERE} 127.0.0.1`] });
  }, PATIENCE_MS);
  afterAll(async () => {
    await browser?.close();
    vite?.kill();
    if (folder) rmSync(folder, { recursive: true, force: true });
  }, PATIENCE_MS);
  return {
    get url() {
      return url;
    },
    get browser() {
      return browser!;
    },
  };
}
