/** The bytes of a sample, as the gateway tells it. */
import { expect, test } from "vitest";
import { base64, readable, unescaped } from "../src/operation/bytes";

test.each([
  ["plain ü", "plain ü"], ['{"a":"b\\\\"c"}', '{"a":"b\\"c"}'], ["a\\nb\\r\\t", "a\nb\r\t"], ["\\u202ex", "\u202ex"],
  ["\\\\n", "\\n"], ["\\\\x41", "\\x41"], ["", ""],
])("%s", (text, meant) => {
  expect(new TextDecoder().decode(unescaped(text))).toBe(meant);
});

test.each([
  ['{"a":"\\\\"b\\\\""}', '{"a":"\\"b\\""}'], ["C:\\\\temp", "C:\\temp"], ["a\\nb\\t", "a\nb\t"], ["ü€", "ü€"],
  ["a\\xff", "a\\xff"], ["\\u202ea", "\\u202ea"], ["\\x1b[31m", "\\x1b[31m"], ["a\\x00\\\\", "a\\x00\\\\"],
])("%s for people", (text, shown) => {
  expect(readable(text)).toBe(shown);
});

test("bytes that are no text", () => {
  expect([...unescaped("\\xff\\x00a\\x1b")]).toEqual([255, 0, 97, 27]);
  expect(base64(unescaped("\\xff\\x00a"))).toBe("/wBh");
});
