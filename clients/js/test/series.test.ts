/** History that goes on live: each point once, whenever it begins and whatever breaks. */
import { afterEach, expect, test } from "vitest";
import WebSocket from "ws";
import { Client, type Options, type SocketMaker } from "../src/index.js";
import { poll } from "../src/fallback.js";
import { readSeries, Series, type SeriesOptions } from "../src/series.js";
import { log, until, useStack } from "./stack.js";

const stack = useStack();
const ends: (() => void)[] = [];
const HOUR_MS = 3_600_000;
let n = 0; /* how many points of dev-1 there are: their values count up */

afterEach(() => ends.splice(0).reverse().forEach((end) => end()));

function connect(options: Partial<Options> = {}, user = "ana"): Client {
  const client = new Client({
    url: stack.where.url, token: () => stack.act("token", { user }), WebSocket: WebSocket as unknown as SocketMaker, ...options,
  });
  ends.push(() => client.close());
  return client;
}

function chart(client: Client, options: Partial<SeriesOptions> = {}): Series {
  const series = new Series(client, { thing: "device/dev-1", member: "n", window: HOUR_MS, points: 500, ...options });
  ends.push(() => series.close());
  return series;
}

const device = (): string => `device/${stack.where.ids["dev-1"]}`;
const send = (topic: string, payload: object): Promise<void> => stack.act("publish", { topic, payload: JSON.stringify(payload) });

async function publish(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await send("ems/dev-1/telemetry", { n: n++ });
}

const count = (series: Series): number => series.state.columns.reduce((sum, column) => sum + column[8], 0);

/** All of them, each once: nothing else counts as many and ends with the last. */
async function hasAll(series: Series): Promise<void> {
  await until(() => series.state.state === "live" && series.state.points.at(-1)?.[1] === n - 1, "the newest is there");
  expect(count(series)).toBe(n);
  expect(series.state.points[0]![1]).toBe(0);
}

test("a chart that nothing was sent for yet begins with the first point", async () => {
  const series = chart(connect());

  await until(() => series.state.state === "live", "it is live");
  expect(series.state.points).toEqual([]);
  await publish(3);
  await hasAll(series);
  expect(series.state.points.map(([, value]) => value)).toContain(2);
});

test("history has the columns of the gateway, from and to when they are wanted", async () => {
  const client = connect();
  const all = await readSeries(client, { thing: device(), member: "n", points: 1 });

  expect(all.columns.map((column) => column[8])).toEqual([n]);
  expect(all).toMatchObject({ device_id: stack.where.ids["dev-1"], member: "n", points: 1 });
  const none = await readSeries(client, { thing: "device/dev-1", member: "/n", from: new Date(0), to: 1000 });
  expect(none.columns).toEqual([]);
  await expect(readSeries(client, { thing: "device/dev-2", member: "n" })).rejects.toMatchObject({ code: "not_found", retry: false });
});

test("each point is there once, whenever it begins, also beside subscriptions that had it before and such that hold back", async () => {
  const client = connect();
  const made: Series[] = [];
  let isOver = false;
  client.subscribe({ to: ["user"] });
  await client.subscribe({ to: ["vehicle/*"], maxHz: 0.5 }).ready;
  const vehicles = (async () => {
    for (let i = 0; !isOver; i++) await stack.act("publish", { topic: "seano/USV-1/vehicle_log", payload: log(i) });
  })();

  for (let i = 0; i < 10; i++) {
    made.push(chart(client));
    await publish(20);
  }
  isOver = true;
  await vehicles;
  for (const series of made) await hasAll(series);
});

for (const how of ["cut", "kill"])
  test(`nothing is missing and nothing is there twice over a ${how}`, async () => {
    const client = connect();
    const series = chart(client);
    client.subscribe({ to: ["user"], maxHz: 1 });

    await publish(10);
    await hasAll(series);
    await publish(5);
    await stack.act(how);
    await publish(5);
    if (how === "kill") await stack.act("start");
    await publish(10);
    await hasAll(series);
  });

test("behind the cursor of history the gateway has all, also where it has stored nothing since it started", async () => {
  await stack.act("kill");
  await stack.act("start");
  const client = connect();
  const { cursor } = await readSeries(client, { thing: device(), member: "n" });
  const heard: number[] = [];
  let nGaps = 0;

  await client.subscribe({ to: [device()], types: ["telemetry"], since: cursor! }, {
    onEvent: (push) => heard.push((push as unknown as { data: { n: number } }).data.n), onGap: () => void nGaps++,
  }).ready;
  await publish(3);
  await until(() => heard.at(-1) === n - 1, "the newest is there");
  expect(heard).toEqual([n - 3, n - 2, n - 1]);
  expect(nGaps).toBe(0);
});

test("by polls, too", async () => {
  const client = connect({ WebSocket: class { constructor() { throw new Error("blocked"); } } as unknown as SocketMaker, fallback: [poll()] });
  const series = chart(client);

  await publish(10);
  await hasAll(series);
});

test("behind a gap history is read anew", async () => {
  let isForgetting = false;
  class Forgets extends WebSocket {
    override send(text: any): void {
      super.send(isForgetting ? `${text}`.replace(/"since":"\w+:\d+"/, '"since":"0000000000000000:1"') : text);
    }
  }
  const client = connect({ WebSocket: Forgets as unknown as SocketMaker });
  const series = chart(client);
  const states = new Set<string>();
  const watched = new Series(client, { thing: device(), member: "n", window: HOUR_MS }, () => states.add(watched.state.state));
  ends.push(() => watched.close());

  await hasAll(series);
  await hasAll(watched);
  states.clear();
  isForgetting = true;
  await stack.act("cut");
  await publish(10);
  await hasAll(series);
  await hasAll(watched);
  expect([...states]).toEqual(["loading", "live"]);
});

test("vehicles, their sensors, and pointers", async () => {
  const client = connect();
  const [speed, deep, first, second] = [
    { thing: "vehicle/USV-1", member: "speed" }, { thing: device(), member: "/deep/x" },
    { thing: "vehicle/USV-1", member: "t", sensor: 1 }, { thing: "vehicle/USV-1", member: "t", sensor: 2 },
  ].map((options) => chart(client, options)) as [Series, Series, Series, Series];
  const values = (series: Series): number[] => series.state.points.map(([, value]) => value);

  for (const series of [speed, deep, first, second]) await until(() => series.state.state === "live", "it is live");
  await send("seano/USV-1/vehicle_log", { speed: 3.5 });
  await send("ems/dev-1/telemetry", { deep: { x: true }, n: "none" });
  for (const sensor_id of [1, 2]) await send("seano/USV-1/sensor_log", { sensor_id, data: { t: sensor_id * 10 } });
  await until(() => values(second).length > 0, "the last is there");
  expect([speed, deep, first, second].map(values)).toEqual([[3.5], [1], [10], [20]]);
});

test("what is old leaves, and what is kept is bounded, however much comes", async () => {
  const series = chart(connect(), { member: "v", window: 10_000, points: 10 });
  const begin = Date.now() - 50_000;

  await until(() => series.state.state === "live", "it is live");
  for (let i = 0; i <= 100; i++) await send("ems/dev-1/telemetry", { v: i, timestamp: new Date(begin + i * 500).toISOString() });
  await until(() => series.state.points.at(-1)?.[1] === 100, "the last is there");
  expect(series.state.columns.length).toBeLessThanOrEqual(21);
  expect(series.state.points[0]![1]).toBeGreaterThanOrEqual(78);
});

test("a right that is taken away takes the chart with it, and brings it back when it is back", async () => {
  const { "dev-1": id, ana, ben } = stack.where.ids;
  const owner = (user: number | undefined): Promise<unknown> => stack.act("sql", { statement: "UPDATE devices SET user_id = %s WHERE id = %s", values: [user, id] });
  const client = connect();
  const series = chart(client);

  await client.subscribe({ to: ["user"] }).ready;
  await hasAll(series);
  await owner(ben);
  await until(() => series.state.state === "failed", "it is gone");
  expect(series.state).toMatchObject({ points: [], error: { code: "right" } });
  await publish(3);
  await new Promise((resolve) => setTimeout(resolve, 1500)); /* it has asked again, in vain */
  expect(series.state).toMatchObject({ state: "failed", points: [], error: { code: "right" } });
  await owner(ana);
  await hasAll(series);
  await publish(2);
  await hasAll(series);
});

test("a chart that is closed while its right is away asks no more", async () => {
  const { "dev-1": id, ana, ben } = stack.where.ids;
  const owner = (user: number | undefined): Promise<unknown> => stack.act("sql", { statement: "UPDATE devices SET user_id = %s WHERE id = %s", values: [user, id] });
  const client = connect();
  const series = chart(client);
  let n_made = 0;

  await client.subscribe({ to: ["user"] }).ready;
  await hasAll(series);
  await owner(ben);
  await until(() => series.state.state === "failed", "it is gone");
  series.close();
  const subscribe = client.subscribe.bind(client);
  client.subscribe = (...what) => (n_made++, subscribe(...what));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await owner(ana);
  await until(async () => (await client.fetch(`api/devices/${id}`)).ok, "it is hers again");
  expect(n_made).toBe(0);
  expect(series.state.state).toBe("failed");
});

test("what is not there, or cannot be asked, is said", async () => {
  const client = connect();
  const [none, bad] = [chart(client, { thing: "device/dev-2" }), chart(client, { member: "/~5" })];

  await until(() => none.state.state === "failed" && bad.state.state === "failed", "both have failed");
  expect(none.state.error).toMatchObject({ code: "not_found" });
  expect(bad.state.error).toMatchObject({ code: "bad_parameter" });
});
