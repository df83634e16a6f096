import { expect, test } from "vitest";
import { Book, type Shown } from "../src/alerts/book";

const alert = (seq: number, more: Partial<Shown> = {}): Shown =>
  ({ cursor: `E:${seq}`, severity: "info", alert_type: null, message: `${seq}`, data: null, timestamp: "2026-01-01T00:00:00Z", ...more });
const ack = { acknowledged_at: "2026-01-01T00:01:00Z", acknowledged_by: "ana" };
const names = (book: Book) => {
  const { open, done } = book.lists();
  return [open.map(({ message }) => message), done.map(({ message, acknowledged_by: by }) => `${message} ${by}`)];
};

test("an alert is there once, the newest first, in whichever order it and its acknowledgement come", () => {
  const book = new Book();

  book.acknowledge("E:9", ack);
  for (const seq of [9, 10, 11, 9]) book.put(alert(seq));
  book.put(alert(8, { number: "E:12", persisted: false }));
  expect(names(book)).toEqual([["8", "11", "10"], ["9 ana"]]);
  book.put(alert(12)); /* as the list has it */
  book.acknowledge("E:11", ack);
  book.put(alert(11, { acknowledged: false })); /* read before that */
  expect(names(book)).toEqual([["12", "10"], ["11 ana", "9 ana"]]);
});

test("what a first page of the open ones lacks is none of them any more", () => {
  const book = new Book();

  for (const seq of [1, 5, 6, 7]) book.put(alert(seq));
  book.put(alert(8, { persisted: false }));
  const before = book.lists().open;
  book.put(alert(9));
  book.settle({ items: [alert(7), alert(5)], cursor: "next" }, before);
  expect(names(book)[0]).toEqual(["9", "8", "7", "5", "1"]);
  book.settle({ items: [], cursor: null }, before);
  expect(names(book)[0]).toEqual(["9", "8"]);
});

test("a page that is open for weeks keeps the newest", () => {
  const book = new Book();

  for (let seq = 1; seq <= 2500; ++seq) book.put(alert(seq));
  expect(book.lists().open.length).toBe(2000);
  expect(book.lists().open.at(-1)!.message).toBe("501");
});
