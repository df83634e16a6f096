/** What needs no gateway: its size, its types, its form as a package. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { sizes } from "../scripts/sizes.mjs";
import { type Carrier, Subscription, type Told } from "../src/subscription.js";

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

test("a set in which something came or went before it was whole has no text to resume with", () => {
  const sub = new Subscription({} as Carrier, { to: ["vehicle/*"] }, {});
  const snapshot = { type: "snapshot", subscription: "s1", items: [], device_ids: [], done: true };
  const left = { type: "left", subscription: "s1", vehicle_id: 7, reason: "box" };
  const resumed = (...told: object[]) => {
    sub.tell({ ...snapshot, vehicle_ids: [12], complete: true, cursor: "E:1", set: "1.a" } as Told);
    sub.ask();
    for (const one of told) sub.tell(one as Told);
    return sub.ask();
  };

  expect(resumed()).toMatchObject({ since: "E:1", set: "1.a" });
  expect(resumed({ ...snapshot, vehicle_ids: [7], complete: false, cursor: "E:2" })).toMatchObject({ since: "E:2", set: true });
  expect(resumed({ ...left, cursor: "E:3" })).toMatchObject({ since: "E:3", set: true });
  expect(resumed({ ...left, cursor: "E:3", set: "0.b" })).toMatchObject({ since: "E:3", set: "0.b" });
  expect(resumed({ type: "progress", cursor: "E:4" })).toMatchObject({ set: "1.a" });
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
