/** What ends one subscription, or one order, and nothing else. */
import { afterEach, expect, test } from "vitest";
import WebSocket from "ws";
import { Client, Refused, type Connection, type Options, type Push, type SocketMaker } from "../src/index.js";
import { events, poll } from "../src/fallback.js";
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

for (const [name, options] of [["a WebSocket", {}], ["event streams", { WebSocket: blocked, fallback: [events()] }], ["polls", { WebSocket: blocked, fallback: [poll()] }]] as const)
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
    expect(ends).toEqual([name === "a WebSocket" ? "right" : "not_found"]);
    expect(shown.map(({ state }) => state)).not.toContain("closed");
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
