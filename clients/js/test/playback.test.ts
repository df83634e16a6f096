/** What was, at a pace of one's own, and then what is live: each once. */
import { afterEach, beforeEach, expect, test } from "vitest";
import WebSocket from "ws";
import { Client, type Options, type Push, type SocketMaker } from "../src/index.js";
import { poll } from "../src/fallback.js";
import { Playback, type PlaybackOptions } from "../src/playback.js";
import { until, useStack } from "./stack.js";

const stack = useStack();
const ends: (() => void)[] = [];
const N = 12; /* messages, five seconds apart, the first of them a minute ago */
let begin = 0; /* when that was */

afterEach(() => ends.splice(0).reverse().forEach((end) => end()));

const sql = (statement: string, ...values: unknown[]): Promise<any> => stack.act("sql", { statement, values });
const publish = (n: number): Promise<void> => stack.act("publish", { topic: "seano/USV-1/vehicle_log", payload: JSON.stringify({ battery_voltage: n }) });
const stored = (count: number): Promise<boolean> => until(async () => Number((await sql("SELECT count(*) FROM vehicle_logs"))[0][0]) === count, "all are stored");

beforeEach(async () => {
  await sql("DELETE FROM vehicle_logs");
  for (let n = 0; n < N; n++) await publish(n);
  await stored(N);
  await sql("SELECT tidegate_make_partitions((now() - interval '2 minutes')::date, now()::date)");
  await sql("UPDATE vehicle_logs v SET received_at = date_trunc('second', now()) - interval '60 s' + o.n * interval '5 s'"
    + " FROM (SELECT seq, row_number() OVER (ORDER BY seq) - 1 AS n FROM vehicle_logs) o WHERE o.seq = v.seq");
  begin = 1000 * Number((await sql("SELECT extract(epoch FROM min(received_at))::float8 FROM vehicle_logs"))[0][0]);
});

function connect(options: Partial<Options> = {}): Client {
  const client = new Client({
    url: stack.where.url, token: () => stack.act("token", { user: "ana" }), WebSocket: WebSocket as unknown as SocketMaker, ...options,
  });
  ends.push(() => client.close());
  return client;
}

const numbers = (pushes: Push[]): number[] => pushes.flatMap((push) => (push.type === "vehicle_log" ? [push.data.battery_voltage as number] : []));
const upTo = (n: number): number[] => [...Array(n).keys()];

function play(client: Client, options: Partial<PlaybackOptions> = {}) {
  const came: Push[] = [];
  const gaps: unknown[] = [];
  const items: Push[] = [];
  const modes: string[] = [];
  const playback: Playback = new Playback(client, { to: ["vehicle/USV-1"], at: begin - 5000, rate: 100, ...options }, {
    onEvent: (push) => came.push(push),
    onSnapshot: (some) => items.push(...some),
    onGap: (gap) => gaps.push(gap),
    onChange: () => playback.state.mode !== modes.at(-1) && modes.push(playback.state.mode),
  });
  ends.push(() => playback.close());
  return { playback, came, gaps, items, modes };
}

test("what was is played in order, and goes on into what is live", async () => {
  const { playback, came, gaps, modes } = play(connect());

  await until(() => playback.state.mode === "live", "it has come to now");
  expect(numbers(came)).toEqual(upTo(N));
  expect(came.every((push) => (push as { replay?: true }).replay)).toBe(true);
  await publish(N);
  await until(() => came.length > N, "it goes on");
  expect(came[N]).not.toHaveProperty("replay");
  expect(numbers(came)).toEqual(upTo(N + 1));
  expect(gaps).toEqual([]);
  expect(modes).toEqual(["playing", "live"]);
});

test("beside subscriptions of the same nothing is missing and nothing comes twice, and they hear nothing of it", async () => {
  const client = connect();
  const others: Push[] = [];
  const cursors = new Set<string>();
  const sub = client.subscribe({ to: ["user"] }, { onEvent: (push) => others.push(push) });
  await sub.ready;
  const { playback, came, gaps } = play(client);
  let n = N;

  while (playback.state.mode !== "live") {
    await publish(n++);
    cursors.add(sub.cursor!);
  }
  for (let i = 0; i < 3; i++) await publish(n++);
  await until(() => came.length >= n, `all ${n} came, of which there are ${came.length}`);
  expect(numbers(came)).toEqual(upTo(n));
  expect(gaps).toEqual([]);
  await until(() => others.length >= n - N, "they have what is live");
  expect(numbers(others)).toEqual(upTo(n).slice(N));
  expect([...cursors]).toEqual([...cursors].sort());
});

test("a pause holds it, and it goes on from there or from anywhere, at another rate", async () => {
  const { playback, came, modes } = play(connect(), { at: begin, rate: 0.1 });

  await until(() => came.length === 1, "the first came");
  playback.pause();
  const asked = Date.now();
  await until(() => Date.now() > asked + 1500, "a while has gone by");
  expect(playback.state.mode).toBe("paused");
  expect(playback.state.at).toBeGreaterThanOrEqual(begin);
  expect(playback.state.at).toBeLessThan(begin + 5000);
  playback.seek(begin + 25_000, 0.1);
  await until(() => came.length === 2, "another one came");
  expect(numbers(came)).toEqual([0, 5]);
  playback.play(100);
  await until(() => playback.state.mode === "live", "it has come to now");
  expect(numbers(came)).toEqual([0, ...upTo(N).slice(5)]);
  playback.seek(new Date(begin));
  await until(() => numbers(came).slice(-N).join() === upTo(N).join(), "all are played again");
  expect(modes).toEqual(["playing", "paused", "waiting", "playing", "live", "waiting", "playing"]);
});

test("where it is is known while it plays", async () => {
  const { playback } = play(connect(), { at: begin, rate: 2 });

  await until(() => playback.state.at! > begin + 3000, "it gets on");
  expect(playback.state.mode).toBe("playing");
});

for (const isHeld of [false, true])
  test(`a break takes nothing from one that ${isHeld ? "is held" : "plays"}, and nothing comes twice`, async () => {
    const { playback, came, gaps } = play(connect(), { at: begin, rate: 20 });

    await until(() => came.length >= 4, "some came");
    if (isHeld) playback.pause();
    await until(() => !isHeld || playback.state.mode === "paused", "it is held");
    await stack.act("cut");
    if (isHeld) {
      await until(() => playback.state.mode === "paused", "it is still held");
      playback.play();
    }
    await until(() => came.length >= N, `all came, of which there are ${came.length}`);
    expect(numbers(came)).toEqual(upTo(N));
    expect(gaps).toEqual([]);
  });

test("live again: what lies between is left out", async () => {
  const { playback, came, items } = play(connect(), { at: begin, rate: 0.1 });

  await until(() => came.length === 1, "the first came");
  playback.live();
  await until(() => items.length > 0, "what is known came");
  expect(playback.state).toEqual({ mode: "live", rate: 0.1 });
  await publish(50);
  await until(() => came.length === 2, "it is live");
  expect(numbers(came)).toEqual([0, 50]);
});

test("of several things one that is deleted while they are played takes the others neither from what is live nor from a seek", async () => {
  const [[id]] = await sql("INSERT INTO vehicles (code, user_id) VALUES ('played', %s) RETURNING id", stack.where.ids.ana) as [[number]];
  const client = connect();
  await until(async () => (await client.fetch(`api/vehicles/${id}`)).ok, "it is there");
  const { playback, came, items } = play(client, { to: ["vehicle/USV-1", `vehicle/${id}`], at: begin, rate: 0.1 });

  await until(() => came.length === 1, "the first came");
  await sql("DELETE FROM vehicles WHERE id = %s", id);
  await until(async () => !(await client.fetch(`api/vehicles/${id}`)).ok, "it is gone");
  playback.seek(begin + 5000, 0.1);
  await until(() => came.length === 2, "the next came");
  playback.live();
  await until(() => items.length > 0, "what is known came");
  await publish(50);
  await until(() => came.length === 3, "what is live came");
  expect(numbers(came)).toEqual([0, 1, 50]);
});

test("what is no more, or nobody has a right to, is refused, and a seek goes elsewhere", async () => {
  const client = connect();
  const { playback, came } = play(client, { at: "2001-01-01T00:00:00Z" });
  const other = play(client, { to: [`vehicle/${stack.where.ids["USV-2"]}`] });

  await until(() => playback.state.mode === "refused" && other.playback.state.mode === "refused", "both are refused");
  expect(playback.state.error).toMatchObject({ code: "not_found" });
  playback.seek(begin);
  await until(() => came.length === N, "all came");
});

test("it waits for a WebSocket: streams and polls play nothing", async () => {
  let isBlocked = true;
  const Gate = function (url: string, protocols: string[]) {
    return new WebSocket(isBlocked ? url.replace("/api/ws", "/nothing-here") : url, protocols);
  };
  const client = connect({ WebSocket: Gate as unknown as SocketMaker, fallback: [poll()] });
  const { playback, came } = play(client);

  await until(() => client.connection.state === "polling", "it polls");
  expect(playback.state.mode).toBe("waiting");
  isBlocked = false;
  await until(() => came.length === N, "all came");
});
