/** What ends one subscription, or one order, and nothing else. */
import { afterEach, expect, test } from "vitest";
import WebSocket from "ws";
import { Client, Refused, type Connection, type Options, type Push, type SocketMaker } from "../src/index.js";
import { events, poll } from "../src/fallback.js";
import { fleetOf } from "../src/fleet.js";
import { until, useStack } from "./stack.js";

const stack = useStack();
const made: Client[] = [];

afterEach(() => made.splice(0).forEach((client) => client.close()));

class Blocked {
  constructor() {
    throw new Error("blocked");
  }
}
const blocked = Blocked as unknown as SocketMaker;

function connect(options: Partial<Options> = {}): { client: Client; shown: Connection[] } {
  const client = new Client({
    url: stack.where.url, token: () => stack.act("token", { user: "ana" }), WebSocket: WebSocket as unknown as SocketMaker, ...options,
  });
  const shown: Connection[] = [];
  made.push(client);
  client.onConnection((connection) => shown.push(connection));
  return { client, shown };
}

const sql = (statement: string, ...values: unknown[]): Promise<unknown> => stack.act("sql", { statement, values });
const acknowledge = (commandId: string): Promise<void> =>
  stack.act("publish", { topic: "devices/dev-1/commands/ack", payload: JSON.stringify({ command_id: commandId, status: "ok" }) });

const ways = [["a WebSocket", {}], ["event streams", { WebSocket: blocked, fallback: [events()] }], ["polls", { WebSocket: blocked, fallback: [poll()] }]] as const;

for (const [name, options] of ways)
  test(`by ${name} a right that is lost to one thing ends nothing else`, async () => {
    const { "USV-2": other, ana } = stack.where.ids;
    await sql("INSERT INTO shares (user_id, vehicle_id) VALUES (%s, %s)", ana, other);
    const { client, shown } = connect(options as Partial<Options>);
    const heard: string[] = [];
    const ends: string[] = [];
    await until(async () => (await client.fetch(`api/vehicles/${other}`)).ok, "the share");
    const mine = client.subscribe({ to: ["vehicle/USV-1"], types: ["raw_log"] }, { onEvent: (push: Push) => heard.push((push as { data: string }).data) });
    const shared = client.subscribe({ to: [`vehicle/${other}`] }, {
      onLeft: (_, reason) => ends.push(reason), onRefused: ({ code }) => ends.push(code),
    });

    await Promise.all([mine.ready, shared.ready]);
    shown.length = 0;
    await sql("DELETE FROM shares");
    await until(() => ends.length > 0, "it was told");
    await stack.act("publish", { topic: "seano/USV-1/raw_log", payload: name });
    await until(() => heard.includes(name), "the other goes on");
    await until(() => ends.length > 1, "it is over");
    expect(ends).toEqual([name === "a WebSocket" ? "right" : "absent", "not_found"]);
    expect(shown.map(({ state }) => state)).not.toContain("closed");
  });

async function lend(): Promise<number> {
  const { "USV-2": other, ana } = stack.where.ids;

  await sql("INSERT INTO shares (user_id, vehicle_id) VALUES (%s, %s)", ana, other);
  const { client } = connect();
  await until(async () => (await client.fetch(`api/vehicles/${other}`)).ok, "the share");
  client.close();
  return other!;
}

async function takeBack(other: number): Promise<void> {
  await sql("DELETE FROM shares");
  const { client } = connect();
  await until(async () => (await client.fetch(`api/vehicles/${other}`)).status === 404, "the loss");
  client.close();
}

for (const [name, options] of ways) {
  test(`by ${name} one of several that goes while they are looked at takes no other with it`, async () => {
    const other = await lend();
    const heard: string[] = [];
    const ends: string[] = [];
    const { client } = connect(options as Partial<Options>);
    const sub = client.subscribe({ to: [`vehicle/${other}`, "vehicle/USV-1"], types: ["raw_log"] }, {
      onEvent: (push) => heard.push((push as { data: string }).data), onLeft: (thing) => ends.push(thing), onRefused: ({ code }) => ends.push(code),
    });

    await sub.ready;
    await takeBack(other);
    await until(() => ends.length > 0, "what went");
    for (const words of [`one, ${name}`, `two, ${name}`]) {
      await stack.act("publish", { topic: "seano/USV-1/raw_log", payload: words });
      await until(() => heard.includes(words), "it goes on with the other");
    }
    expect(ends).toEqual([`vehicle/${other}`]);
  });

  test(`by ${name} who comes back has the targets that are left, and is told what went`, async () => {
    const other = await lend();
    const heard: string[] = [];
    const left: string[] = [];
    const { client } = connect(options as Partial<Options>);
    const sub = client.subscribe({ to: [`vehicle/${other}`, "vehicle/USV-1"], types: ["raw_log"] }, {
      onEvent: (push) => heard.push((push as { data: string }).data),
      onLeft: (...what) => left.push(what.join(" ")), onRefused: ({ code }) => left.push(code),
    });

    await sub.ready;
    await stack.act("terminate");
    await until(() => client.connection.state === "connecting", "the break");
    await sql("DELETE FROM shares");
    await stack.act("publish", { topic: "seano/USV-1/raw_log", payload: `meanwhile, ${name}` });
    await stack.act("start");
    await until(() => heard.length > 0 && left.length > 0, "what it missed, and what went");
    expect(heard).toEqual([`meanwhile, ${name}`]);
    expect(left).toEqual([`vehicle/${other} absent`]);
    sub.move({ maxHz: 1000 });
    await stack.act("publish", { topic: "seano/USV-1/raw_log", payload: "moved" });
    await until(() => heard.length > 1, "it goes on behind a move");
    expect(left).toHaveLength(1);
  });

  test(`by ${name} the only thing of a page that is deleted ends its subscription, and the page stays connected`, async () => {
    const [[id]] = await sql("INSERT INTO vehicles (code, user_id) VALUES (%s, %s) RETURNING id", `gone-${name.replace(/ /g, "-")}`, stack.where.ids.ana) as [[number]];
    const { client, shown } = connect(options as Partial<Options>);
    const ends: string[] = [];
    await until(async () => (await client.fetch(`api/vehicles/${id}`)).ok, "it is there");
    const sub = client.subscribe({ to: [`vehicle/${id}`] }, {
      onLeft: (...what) => ends.push(what.join(" ")), onRefused: ({ code }) => ends.push(code),
    });

    await sub.ready;
    shown.length = 0;
    await sql("DELETE FROM vehicles WHERE id = %s", id);
    await until(() => ends.length > 1, "it is over");
    expect(ends).toEqual([`vehicle/${id} ${name === "a WebSocket" ? "deleted" : "absent"}`, "not_found"]);
    expect(sub.isOver).toBe(true);
    await client.subscribe({ to: ["vehicle/USV-1"] }).ready;
    expect(shown).toEqual([]);
  });
}

test("one that is not there takes no other from who looks at both, and is seen as soon as it is there", async () => {
  const { "USV-1": mine, "USV-2": other } = stack.where.ids;
  const { client } = connect();
  const fleet = fleetOf(client);
  const ends = [mine!, other!].map((id) => fleet.vehicle(id).subscribe(() => {}));

  await until(() => fleet.vehicle(mine!).read(), "the one that is there");
  expect(fleet.vehicle(other!).read()).toBeUndefined();
  await lend();
  await until(() => fleet.vehicle(other!).read(), "the one that was not");
  await takeBack(other!);
  await until(() => !fleet.vehicle(other!).read(), "it is gone again");
  expect(fleet.vehicle(mine!).read()).toBeDefined();
  ends.forEach((end) => end());
});

test("the only one that is looked at, and is not there, is seen as soon as it is, too", async () => {
  const other = stack.where.ids["USV-2"]!;
  const { client } = connect();
  const fleet = fleetOf(client);
  const end = fleet.vehicle(other).subscribe(() => {});

  await client.subscribe({ to: ["user"] }).ready;
  await lend();
  await until(() => fleet.vehicle(other).read(), "it is there");
  await takeBack(other);
  end();
});

test("an order of which the states are lost behind a gap ends all the same", async () => {
  let isForgetting = false;
  class Forgets extends WebSocket {
    override send(text: any): void {
      super.send(isForgetting ? `${text}`.replace(/"since":"\w+:\d+"/, '"since":"0000000000000000:1"') : text);
    }
  }
  const { client } = connect({ WebSocket: Forgets as unknown as SocketMaker });
  const sent = client.command({ device: "dev-1", action: "BLINK", timeoutMs: 60_000 });
  const states: string[] = [];

  for await (const { state, commandId } of sent) {
    states.push(state);
    if (state !== "published") continue;
    isForgetting = true;
    await stack.act("drop");
    await acknowledge(commandId);
    await until(async () => (await sql("SELECT state FROM commands WHERE command_id = %s", commandId) as string[][])[0]![0] === "done", "it is done");
    await stack.act("mend");
  }
  expect(states).toEqual(["accepted", "published", "done"]);
});

test("an order to a device that one may not see any more says so", async () => {
  const { "dev-1": id, ana, ben } = stack.where.ids;
  const { client } = connect();
  await client.subscribe({ to: ["user"] }).ready;
  const sent = client.command({ device: "dev-1", action: "BLINK", timeoutMs: 60_000 });

  for await (const { state } of sent) if (state === "published") break;
  await sql("UPDATE devices SET user_id = %s WHERE id = %s", ben, id);
  await expect(sent.result).rejects.toBeInstanceOf(Refused);
  await sql("UPDATE devices SET user_id = %s WHERE id = %s", ana, id);
});
