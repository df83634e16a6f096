/** What needs no gateway: its size, its types, its form as a package. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { sizes } from "../scripts/sizes.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const run = (...args: string[]) => execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" });

test("the types are those of asyncapi.json", () => {
  run("scripts/types.mjs", "--check");
});

test("a page loads 4 kB of it, 6 with what it falls back to, 8 with tabs that share", async () => {
  const { core, fallback, tabs } = await sizes() as Record<string, number>;

  expect(core).toBeLessThanOrEqual(4000);
  expect(fallback).toBeLessThanOrEqual(6000);
  expect(tabs).toBeLessThanOrEqual(8000);
});

test("the package is one that every tool takes", () => {
  run("scripts/build.mjs");
  expect(run("node_modules/publint/src/cli.js", "--strict")).toContain("All good!");
  const folder = mkdtempSync(join(tmpdir(), "tidegate-pack-"));
  try {
    execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: root });
    run("node_modules/@arethetypeswrong/cli/dist/index.js", join(folder, readdirSync(folder)[0]!), "--profile", "esm-only");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
