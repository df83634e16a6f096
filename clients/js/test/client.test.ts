import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import WebSocket from "ws";
import { Client, Refused, type Alert, type Connection, type Filter, type Options, type Push, type SocketMaker } from "../src/index.js";
import { events, poll } from "../src/fallback.js";
import { fleetOf } from "../src/fleet.js";
import { log, until, useStack } from "./stack.js";

const stack = useStack();
const made: Client[] = [];
const real = globalThis.fetch;

afterEach(() => made.splice(0).forEach((client) => client.close()));

function connect(options: Partial<Options> = {}, user = "ana"): Client {
  const client = new Client({
    url: stack.where.url, token: () => stack.act("token", { user }), WebSocket: WebSocket as unknown as SocketMaker, ...options,
  });
  made.push(client);
  return client;
}

/** Numbers that are published one after another, and those that came. */
function counter(client: Client, vehicle = "USV-1") {
  const came: number[] = [];
  const gaps: unknown[] = [];
  const id = stack.where.ids[vehicle];
  const take = (push: Push) => push.type === "raw_log" && came.push(Number(push.data));
  const sub = client.subscribe({ to: [`vehicle/${id}`] }, { onEvent: take, onGap: (gap) => gaps.push(gap) });
  let n = 0;
  const publish = async (count: number) => {
    for (let i = 0; i < count; i++)
      await stack.act("publish", { topic: `seano/${vehicle}/raw_log`, payload: `${n++}` });
  };
  const all = () => until(() => came.length >= n, `${n} came, of which there are ${came.length}`);
  return { came, gaps, sub, publish, all, expected: () => [...Array(n).keys()] };
}

test("what is published once a subscription is ready is seen", async () => {
  const client = connect();
  const { came, sub, publish, all, expected } = counter(client);

  await sub.ready;
  await publish(5);
  await all();
  expect(came).toEqual(expected());
  expect(client.connection).toMatchObject({ state: "live", transport: "websocket", user: { username: "ana" } });
});

for (const transport of ["websocket", "events"])
  test(`who acknowledges an alert is told by ${transport} where the alert was, and nowhere else`, async () => {
    const client = connect(transport === "events" ? { WebSocket: undefined as never, fallback: [events()] } : {});
    const vehicle = `vehicle/${stack.where.ids["USV-1"]}`;
    const heard: Record<string, Push[]> = { alerts: [], vehicle: [], other: [] };
    const subs = Object.entries({ alerts: { to: ["alerts"] }, vehicle: { to: [vehicle], types: ["alert"] }, other: { to: [vehicle], types: ["raw_log"] } } as const)
      .map(([name, filter]) => client.subscribe(filter, { onEvent: (push) => heard[name]!.push(push) }));

    await Promise.all(subs.map(({ ready }) => ready));
    await stack.act("publish", { topic: "seano/USV-1/alert", payload: `{"severity":"info","message":"by ${transport}"}` });
    await until(() => heard.alerts!.length === 1, "the alert is there");
    const [alert] = heard.alerts as Alert[];
    const id = alert!.number ?? alert!.cursor;
    const cursor = subs[0]!.cursor;
    await client.fetch(`api/alerts/${id}/acknowledge`, { method: "POST" });
    await until(() => heard.alerts!.length === 2 && heard.vehicle!.length === 2, "it is told");
    expect(heard.alerts![1]).toMatchObject({ type: "alert_update", alert: id, acknowledged_by: "ana" });
    expect(heard.vehicle![1]).toEqual(heard.alerts![1]);
    expect(heard.other).toEqual([]);
    expect(subs[0]!.cursor).toBe(cursor); /* it has no place */
  });

for (const how of ["cut", "restart", "kill"])
  test(`nothing is missing and nothing comes twice over a ${how}`, async () => {
    const client = connect();
    const { came, gaps, sub, publish, all, expected } = counter(client);

    await sub.ready;
    await publish(3);
    if (how === "cut") {
      await stack.act("cut");
    } else {
      await stack.act(how === "kill" ? "kill" : "terminate");
      await publish(3);
      await stack.act("start");
    }
    await publish(3);
    await all();
    expect(came).toEqual(expected());
    expect(gaps).toEqual([]);
  });

for (const how of ["cut", "kill"])
  test(`two subscriptions to the same thing both miss nothing over a ${how}`, async () => {
    const client = connect();
    const one = counter(client);
    const other: number[] = [];
    const sub = client.subscribe({ to: ["vehicle/*"], types: ["raw_log"] },
      { onEvent: (push) => push.type === "raw_log" && other.push(Number(push.data)) });

    await Promise.all([one.sub.ready, sub.ready]);
    await one.publish(3);
    await one.all();
    await stack.act(how === "cut" ? "drop" : "kill");
    await one.publish(3);
    await stack.act(how === "cut" ? "mend" : "start");
    await one.publish(3);
    await one.all();
    await until(() => other.length >= 9, "the other has all of them");
    expect(one.came).toEqual(one.expected());
    expect(other).toEqual(one.expected());
  });

test("a subscription that goes on behind an older cursor has all of it, and the one beside it nothing twice", async () => {
  const client = connect();
  const { came, sub, publish, all, expected } = counter(client);
  const older: number[] = [];

  await sub.ready;
  await publish(1);
  await all();
  const since = sub.cursor!;
  await publish(3);
  await all();
  const other = client.subscribe({ to: ["vehicle/*"], types: ["raw_log"], since },
    { onEvent: (push) => push.type === "raw_log" && older.push(Number(push.data)) });
  await publish(2);
  await other.ready;
  await publish(2);
  await all();
  await until(() => older.length >= 7, "the older one has all of them");
  expect(older).toEqual(expected().slice(1));
  expect(came).toEqual(expected());
});

test("a network that is gone without a word is noticed, and nothing is missing", async () => {
  const client = connect();
  const { came, gaps, sub, publish, all, expected } = counter(client);

  await sub.ready;
  await publish(2);
  await all();
  await stack.act("drop");
  await publish(2);
  await stack.act("mend");
  await publish(2);
  await all();
  expect(came).toEqual(expected());
  expect(gaps).toEqual([]);
});

test("a token is asked for once at a time, and again before it ends", async () => {
  let asked = 0;
  let under = 0;
  let most = 0;
  const client = connect({
    token: async () => {
      asked += 1;
      most = Math.max(most, ++under);
      const token = await stack.act("token", { user: "ana", ttl: 3 });
      under -= 1;
      return token;
    },
  });
  const states: string[] = [];
  client.onConnection(({ state }) => states.push(state));
  const { came, sub, publish, all, expected } = counter(client);

  await Promise.all([client.fetch("api/devices"), client.fetch("api/vehicles"), sub.ready]);
  expect(asked).toBe(1);
  await until(() => asked >= 4, "the token was renewed");
  await publish(3);
  await all();
  expect(came).toEqual(expected());
  expect(most).toBe(1);
  expect(states).toEqual(["live"]);
});

test("a token that is refused is asked for anew once, and then it is said why", async () => {
  let asked = 0;
  const client = connect({ token: () => (asked++, "no token at all") });

  await until(() => client.connection.state === "closed");
  expect(client.connection).toMatchObject({ code: 4001, reason: "bad token" });
  expect(asked).toBe(2);
});

test("who is signed out stays away, and comes back when he signs in", async () => {
  let user: string | null = null;
  const client = connect({ token: () => user && stack.act("token", { user }) });

  await until(() => client.connection.state === "closed");
  user = "ana";
  client.connect();
  await until(() => client.connection.state === "live");
});

test("a right that is taken away in the database is told of as left", async () => {
  const { "USV-1": vehicle, ben, ana } = stack.where.ids;
  await stack.act("publish", { topic: "seano/USV-1/vehicle_log", payload: log(1) });
  const client = connect({}, "ben");
  const left: unknown[] = [];
  const sub = client.subscribe({ to: ["vehicle/*"] }, { onLeft: (thing, reason) => left.push([thing, reason]) });

  await sub.ready;
  expect([...sub.things]).toEqual([`vehicle/${stack.where.ids["USV-2"]}`]);
  await stack.act("sql", { statement: "UPDATE vehicles SET user_id = %s WHERE id = %s", values: [ben, vehicle] });
  await until(() => sub.things.has(`vehicle/${vehicle!}`), "it came in");
  await stack.act("sql", { statement: "UPDATE vehicles SET user_id = %s WHERE id = %s", values: [ana, vehicle] });
  await until(() => left.length > 0, "it left");
  expect(left).toEqual([[`vehicle/${vehicle}`, "right"]]);
});

test("what left while nobody was connected is told of, too", async () => {
  const { "USV-1": vehicle, ben, ana } = stack.where.ids;
  const client = connect();
  const left: unknown[] = [];
  const sub = client.subscribe({ to: ["vehicle/*"] }, { onLeft: (...all) => left.push(all) });

  await sub.ready;
  expect(sub.things.size).toBe(1);
  await stack.act("terminate");
  await stack.act("sql", { statement: "UPDATE vehicles SET user_id = %s WHERE id = %s", values: [ben, vehicle] });
  await stack.act("start");
  await until(() => left.length > 0, "it left");
  expect(left[0]).toEqual([`vehicle/${vehicle}`, expect.stringMatching("absent|right")]);
  await stack.act("sql", { statement: "UPDATE vehicles SET user_id = %s WHERE id = %s", values: [ana, vehicle] });
});

test("a number is an id, whatever old code spells it, and what is said of it is heard", async () => {
  const id = stack.where.ids["dev-1"]!;
  const other = `INSERT INTO devices (code, user_id) SELECT %s, user_id FROM devices WHERE id = ${id} RETURNING id`;
  const [[old]] = await stack.act("sql", { statement: other, values: [`${id}`] }) as [[number]];
  await stack.act("terminate"); /* what was loaded at start is what there is */
  await stack.act("start");
  const client = connect();
  const device = fleetOf(client).device(id);
  const end = device.subscribe(() => {});
  const heard: number[] = [];
  const byCode = client.subscribe({ to: [`device/${id}`] }, {
    onEvent: (push) => push.type === "telemetry" && heard.push(push.device_id),
  });

  await byCode.ready;
  await stack.act("publish", { topic: "ems/dev-1/telemetry", payload: '{"n":1}' });
  await until(() => device.read()?.telemetry?.data.n === 1, "it is that of the id");
  await stack.act("publish", { topic: `ems/id:${old}/telemetry`, payload: '{"n":2}' });
  await until(() => heard.length > 0, "the other one is that of the code");
  expect(heard).toEqual([old]);
  expect(device.read()?.telemetry?.data.n).toBe(1);
  end();
  await stack.act("sql", { statement: "DELETE FROM devices WHERE id = %s", values: [old] });
});

test("of statistics come the ones that were asked for", async () => {
  const client = connect();
  const types: string[][] = [[], []];
  const [one, both] = [["statistics_update"], undefined].map((wanted, i) =>
    client.subscribe({ to: ["stats"], types: wanted as Push["type"][] | undefined } as Filter, { onEvent: (push) => types[i]!.push(push.type) }));

  await Promise.all([one!.ready, both!.ready]);
  await until(() => new Set(types[1]).size === 2, "both kinds came");
  expect([...new Set(types[0])]).toEqual(["statistics_update"]);
});

test("a thing that is another's is refused as one that is not there", async () => {
  const client = connect();
  const sub = client.subscribe({ to: [`vehicle/${stack.where.ids["USV-2"]}`] });

  await expect(sub.ready).rejects.toMatchObject({ code: "not_found" });
});

test("a quiet page knows up to when it is complete", async () => {
  const client = connect();
  const told: string[] = [];
  const sub = client.subscribe({ to: ["user"] }, { onProgress: (cursor) => told.push(cursor) });

  await until(() => told.length >= 2, "progress came twice");
  expect(sub.cursor).toBe(told.at(-1));
});

test("a quiet subscription gets on beside a busy one, and goes on from where it is", async () => {
  const client = connect();
  const busy = counter(client);
  const heard: Push[] = [];
  const quiet = client.subscribe({ to: [`device/${stack.where.ids["dev-1"]}`], types: ["telemetry"] }, { onEvent: (push) => heard.push(push) });

  await Promise.all([busy.sub.ready, quiet.ready]);
  await busy.publish(5);
  await busy.all();
  expect(quiet.cursor).toBe(busy.sub.cursor);
  await stack.act("cut");
  await stack.act("publish", { topic: "ems/dev-1/telemetry", payload: '{"n":1}' });
  await busy.publish(5);
  await busy.all();
  await until(() => heard.length > 0, "its own event came");
  expect(heard).toMatchObject([{ type: "telemetry", data: { n: 1 } }]);
  expect(busy.came).toEqual(busy.expected());
});

test("a box that moves takes with it what is in it", async () => {
  await stack.act("publish", { topic: "seano/USV-1/vehicle_log", payload: log(1) });
  const id = `vehicle/${stack.where.ids["USV-1"]}` as const;
  const client = connect();
  const sub = client.subscribe({ to: ["vehicle/*"], bbox: [1, 0, 3, 2] });

  await sub.ready;
  await until(() => sub.things.has(id), "it is inside");
  sub.move({ bbox: [50, 50, 51, 51] });
  await until(() => !sub.things.has(id), "it is outside");
  sub.move({ bbox: [1, 0, 3, 2] });
  await until(() => sub.things.has(id), "it is inside again");
});

/** Refuses the first move in the gateway's place. */
function refusing(error: { code: string; retry: boolean }) {
  const asked: string[] = [];
  class Socket extends WebSocket {
    override send(text: string): void {
      const { op, id } = JSON.parse(text);
      const isFirst = op === "move" && !asked.includes("move");

      asked.push(op);
      if (isFirst) this.onmessage!({ data: JSON.stringify({ id, ok: false, error: { message: "", ...error } }) } as never);
      else super.send(text);
    }
  }
  return { asked, WebSocket: Socket as unknown as SocketMaker };
}

test("a move that is refused for now is asked again, and the subscription stays the one that it is", async () => {
  const { asked, WebSocket } = refusing({ code: "busy", retry: true });
  const client = connect({ WebSocket });
  const sub = client.subscribe({ to: ["vehicle/*"], bbox: [1, 0, 3, 2] });

  await sub.ready;
  const name = sub.name;
  sub.move({ bbox: [50, 50, 51, 51] });
  sub.move({ bbox: [51, 51, 52, 52] });
  await until(() => asked.filter((op) => op === "move").length === 3, "it was asked again");
  expect(sub.name).toBe(name);
  expect(asked.filter((op) => op === "subscribe")).toHaveLength(1);
});

test("what a move was refused for is over at the gateway, too", async () => {
  const { asked, WebSocket } = refusing({ code: "not_found", retry: false });
  const client = connect({ WebSocket });
  const refused: Refused[] = [];
  const sub = client.subscribe({ to: ["vehicle/*"] }, { onRefused: (error) => refused.push(error) });

  await sub.ready;
  sub.move({ to: ["vehicle/none"] });
  await until(() => asked.includes("unsubscribe"), "it is over there");
  expect(refused.map((error) => error.code)).toEqual(["not_found"]);
});

test("a command tells its states to the last, and one that is taken back is cancelled", async () => {
  const client = connect();
  const states: string[] = [];
  const sent = client.command({ device: "dev-1", action: "BLINK", timeoutMs: 60_000 });

  for await (const { state, commandId } of sent) {
    states.push(state);
    if (state === "published")
      await stack.act("publish", { topic: "devices/dev-1/commands/ack", payload: JSON.stringify({ command_id: commandId, status: "ok" }) });
  }
  expect(states).toEqual(["accepted", "published", "done"]);
  expect(await sent.result).toMatchObject({ state: "done" });

  const abort = new AbortController();
  const other = client.command({ device: "dev-1", action: "BLINK", timeoutMs: 60_000 }, { signal: abort.signal });
  for await (const { state } of other) if (state !== "cancelled") abort.abort();
  expect(await other.result).toMatchObject({ state: "cancelled" });
  await expect(client.command({ device: "dev-2", action: "BLINK" }).result).rejects.toBeInstanceOf(Refused);
});

/** A WebSocket that a proxy does not let through. */
class Blocked extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url.replace("/api/ws", "/nothing-here"), protocols);
  }
}

for (const [name, transport, state] of [["an event stream", events, "live"], ["polling", poll, "polling"]] as const)
  test(`where WebSocket does not get through ${name} does, and nothing is missing`, async () => {
    const client = connect({ WebSocket: Blocked as unknown as SocketMaker, fallback: [transport()] });
    const { came, gaps, sub, publish, all, expected } = counter(client);

    await sub.ready;
    expect(client.connection).toMatchObject({ state });
    await publish(3);
    await all();
    await stack.act("terminate");
    await publish(3);
    await stack.act("start");
    await publish(3);
    await all();
    expect(came).toEqual(expected());
    expect(gaps).toEqual([]);
    expect(await client.command({ device: "dev-1", action: "BLINK", timeoutMs: 500 }).result).toMatchObject({ state: "expired" });
  });

test("a network that is gone without a word is noticed by polls, too", async () => {
  const client = connect({ WebSocket: Blocked as unknown as SocketMaker, fallback: [poll()] });

  await client.subscribe({ to: ["user"] }).ready;
  await stack.act("drop");
  await until(() => client.connection.state === "connecting");
  await stack.act("mend");
  await until(() => client.connection.state === "polling");
});

test("what has more subscriptions than streams are given polls, and has them all", async () => {
  const client = connect({ WebSocket: Blocked as unknown as SocketMaker, fallback: [events(), poll()] });
  const subs = Array.from({ length: 6 }, () => client.subscribe({ to: ["user"] }));

  await Promise.all(subs.map((sub) => sub.ready));
  expect(client.connection).toMatchObject({ state: "polling" });
});

test("polls leave room: four at a time, and each subscription gets what is its", async () => {
  const under = { now: 0, most: 0 };
  const spy = vi.spyOn(globalThis, "fetch").mockImplementation(async (...args) => {
    const isPoll = `${args[0]}`.includes("/api/events/poll");
    under.most = Math.max(under.most, (under.now += Number(isPoll)));
    try {
      return await real(...args);
    } finally {
      under.now -= Number(isPoll);
    }
  });
  const client = connect({ WebSocket: Blocked as unknown as SocketMaker, fallback: [poll()] });
  const counters = Array.from({ length: 6 }, () => counter(client));

  await Promise.all(counters.map(({ sub }) => sub.ready));
  await counters[0]!.publish(3);
  for (const { came } of counters) await until(() => came.length === 3, "it came by each");
  expect(under.most).toBe(4);
  spy.mockRestore();
});

test("an event stream that something holds back on its way is left for polls", async () => {
  const held = createServer((request, response) => {
    void (async () => {
      const headers = request.headers as Record<string, string>;
      const answer = await real(`${stack.where.url.slice(0, -1)}${request.url}`, { headers: { authorization: headers.authorization! } });
      response.writeHead(answer.status, { "Content-Type": "application/json" });
      response.end(await answer.text()); /* whole, as a proxy that buffers has it: a stream has no end */
    })().catch(() => response.destroy());
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => held.once("listening", resolve));
  const client = connect({
    url: `http://127.0.0.1:${(held.address() as AddressInfo).port}/`, WebSocket: Blocked as unknown as SocketMaker, fallback: [events(), poll()],
  });
  const sub = client.subscribe({ to: ["user"] });

  await sub.ready;
  expect(client.connection).toMatchObject({ state: "polling" });
  client.close();
  held.closeAllConnections();
  held.close();
});

for (const [name, transport, state] of [["an event stream", events, "live"], ["polling", poll, "polling"]] as const)
  test(`a gateway that does not know yet who exists is not there for ${name}, until it does`, async () => {
    await stack.act("halt", { what: "postgres" });
    await stack.act("kill");
    await stack.act("start", { wait: false });
    let asked = 0;
    const spy = vi.spyOn(globalThis, "fetch").mockImplementation((...args) => (asked++, real(...args)));
    const client = connect({ WebSocket: Blocked as unknown as SocketMaker, fallback: [transport()] });
    const states: string[] = [];
    client.onConnection((now) => states.push(now.state));
    const { sub, publish, all } = counter(client);

    try {
      await until(() => asked >= 2, "it was asked again");
      expect(states).toEqual([]);
    } finally {
      await stack.act("resume", { what: "postgres" });
      spy.mockRestore();
    }
    await sub.ready;
    expect(states).toEqual([state]);
    await publish(1);
    await all();
  });

test("who says once more that he has signed in stays live", async () => {
  const client = connect();

  await until(() => client.connection.state === "live");
  client.connect();
  expect(client.connection).toMatchObject({ state: "live" });
});

test("it comes back to WebSocket as soon as that gets through, and nothing is missing", async () => {
  let isBlocked = true;
  const Gate = function (url: string, protocols: string[]) {
    return new (isBlocked ? Blocked : WebSocket)(url, protocols);
  };
  const transports: (string | undefined)[] = [];
  const client = connect({ WebSocket: Gate as unknown as SocketMaker, fallback: [events(), poll()] });
  client.onConnection(({ transport }: Connection) => transport !== transports.at(-1) && transports.push(transport));
  const { came, sub, publish, all, expected } = counter(client);

  await sub.ready;
  await publish(3);
  isBlocked = false;
  await until(() => client.connection.transport === "websocket");
  await publish(3);
  await all();
  expect(came).toEqual(expected());
  expect(transports).toEqual(["events", "websocket"]);
});
