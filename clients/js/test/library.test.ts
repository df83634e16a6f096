/** What needs no gateway: its size, its types, its form as a package. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { sizes } from "../scripts/sizes.mjs";
import { Client } from "../src/client.js";
import { events } from "../src/fallback.js";
import { type Carrier, Subscription, type Told } from "../src/subscription.js";
import { pack, run } from "./packed.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const node = (program: string, ...args: string[]) => run(process.execPath, [join(root, program), ...args], { cwd: root });

afterEach(() => void vi.unstubAllGlobals());

test("where there is no WebSocket, as in Node, that is said at once, and not waited for", () => {
  vi.stubGlobal("WebSocket", undefined);
  vi.stubGlobal("fetch", async () => new Response("", { status: 503 }));

  expect(() => new Client({ url: "http://127.0.0.1:1/" })).toThrow("no WebSocket");
  new Client({ url: "http://127.0.0.1:1/", fallback: [events()] }).close();
});

test("the types are those of asyncapi.json", async () => {
  await node("scripts/types.mjs", "--check");
});

test("all of it is 4 kB, 6 with what it falls back to, 8 with tabs that share, whatever a page takes of that", async () => {
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

test("the package is one that every tool takes", async () => {
  const { folder, tarball } = await pack();

  try {
    expect((await node("node_modules/publint/src/cli.js", tarball, "--strict")).stdout).toContain("All good!");
    await node("node_modules/@arethetypeswrong/cli/dist/index.js", tarball, "--profile", "esm-only");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
