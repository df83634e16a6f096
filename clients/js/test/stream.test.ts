/** Events for a reader that takes its time: what gives way, and where it is told. */
import { expect, test } from "vitest";
import type { Client } from "../src/client.js";
import { stream, type Bounds } from "../src/stream.js";
import type { Handlers } from "../src/subscription.js";
import type { Push } from "../src/wire.js";

type Told = Push | { type: "gap"; dropped: number | null };

/** A stream of which the test is the gateway. */
function begin(bounds: Bounds) {
  let handlers: Handlers = {};
  let isOver = false;
  const client = { subscribe: (_: unknown, all: Handlers) => ((handlers = all), { unsubscribe: () => (isOver = true) }) };
  const reader = stream(client as unknown as Client, { to: ["user"] }, bounds);
  const first = reader.next(); /* a stream begins with who reads it, who waits from then on */
  const send = (...numbers: number[]) => numbers.forEach((n) => handlers.onEvent!(push(n)));

  return { reader, first, send, handlers, isOver: () => isOver };
}

const push = (n: number, vehicle = n): Push =>
  ({ type: "vehicle_log", vehicle_id: vehicle, cursor: `E:${n}` }) as unknown as Push;
const short = (told: Told) => (told.type === "gap" ? `gap ${told.dropped}` : (told as { cursor: string }).cursor.slice(2));

async function read(reader: AsyncIterator<Told>, n: number): Promise<string[]> {
  const all = [];
  for (let i = 0; i < n; i++) all.push(short((await reader.next()).value));
  return all;
}

test("of more than there is room for the oldest give way, and that is told where they were", async () => {
  const { reader, first, send } = begin({ limit: 3 });

  send(1);
  expect(short((await first).value!)).toBe("1");
  send(2, 3, 4, 5, 6);
  expect(await read(reader, 4)).toEqual(["gap 2", "4", "5", "6"]);
});

test("of more than there is room for the newest give way, and that is told where they were", async () => {
  const { reader, first, send } = begin({ limit: 3, policy: "newest" });

  send(1);
  await first;
  send(2, 3, 4, 5, 6);
  expect(await read(reader, 1)).toEqual(["2"]);
  send(7);
  expect(await read(reader, 4)).toEqual(["3", "4", "gap 2", "7"]);
});

test("the newer of the same thing and type takes the place of the older", async () => {
  const { reader, first, handlers } = begin({ limit: 2, policy: "same" });

  handlers.onEvent!(push(1));
  await first;
  for (const [n, vehicle] of [[2, 12], [3, 13], [4, 12], [5, 13], [6, 14]] as const) handlers.onEvent!(push(n, vehicle));
  expect(await read(reader, 3)).toEqual(["gap 1", "5", "6"]);
});

test("an older state gives way only where there is no room, and what is no state to nothing that is like it", async () => {
  const { reader, first, handlers } = begin({ limit: 3, policy: "same" });
  const alert = (n: number): Push => ({ ...push(n, 12), type: "alert" }) as unknown as Push;

  handlers.onEvent!(push(1));
  await first;
  for (const one of [push(2, 12), push(3, 12), alert(4)]) handlers.onEvent!(one);
  expect(await read(reader, 3)).toEqual(["2", "3", "4"]);
  for (const one of [alert(5), push(6, 12), alert(7), push(8, 12), alert(9)]) handlers.onEvent!(one);
  expect(await read(reader, 4)).toEqual(["gap 1", "7", "8", "9"]);
});

test("a reader that is too slow is told so, behind all that there was room for, where it wants that", async () => {
  const { reader, first, send, isOver } = begin({ limit: 2, policy: "end" });

  send(1);
  await first;
  send(2, 3, 4, 5);
  expect(await read(reader, 2)).toEqual(["2", "3"]);
  await expect(reader.next()).rejects.toThrow("too slow");
  expect(isOver()).toBe(true);
});

test("what the gateway has lost comes behind what came before it, with what a resume needs", async () => {
  const { reader, first, send, handlers } = begin({ limit: 10 });

  send(1);
  await first;
  send(2, 3);
  handlers.onGap!({ subscription: "s1", dropped: 4, from: "E:3", to: "E:7" });
  send(8);
  expect(await read(reader, 2)).toEqual(["2", "3"]);
  expect((await reader.next()).value).toMatchObject({ type: "gap", dropped: 4, from: "E:3", to: "E:7" });
  expect(await read(reader, 1)).toEqual(["8"]);
});

test("gaps that meet are one, of which nobody knows how much where one of them does not", async () => {
  const { reader, first, send, handlers } = begin({ limit: 1 });

  send(1);
  await first;
  handlers.onGap!({ dropped: 4, from: "E:1", to: "E:5" });
  send(6, 7);
  expect(await read(reader, 2)).toEqual(["gap 5", "7"]);
  handlers.onGap!({ dropped: null, from: "E:7" });
  send(9, 10);
  expect(await read(reader, 2)).toEqual(["gap null", "10"]);
});

test("who reads no more is subscribed no more, and so is who is told to end", async () => {
  const one = begin({});
  one.send(1);
  await one.first;
  await one.reader.return(undefined);
  expect(one.isOver()).toBe(true);

  const ends = new AbortController();
  const other = begin({ signal: ends.signal });
  ends.abort();
  expect(await other.first).toMatchObject({ done: true });
  expect(other.isOver()).toBe(true);
});
