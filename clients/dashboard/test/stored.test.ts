import { expect, test } from "vitest";
import { heardPush, isBehind, isUnstored } from "../src/data/stored";

test("what is not stored is so until something behind it is", () => {
  const early = { cursor: "E:99", persisted: false };
  const one = { cursor: "E:98", number: "E:100", persisted: false };

  heardPush(early);
  heardPush(one);
  heardPush({ cursor: "E:99", persisted: true }); /* a late one, replayed */
  expect([early, one].map(isUnstored)).toEqual([true, true]);
  heardPush({ cursor: "E:101", persisted: true });
  expect([early, one].map(isUnstored)).toEqual([false, false]);
  expect(isUnstored({ cursor: "E:102", persisted: false })).toBe(true);
  expect(isUnstored({ cursor: "F:1", persisted: false })).toBe(true); /* another journal */
  heardPush(early); /* it is shown still */
  expect(isUnstored(early)).toBe(false);
});

test("places are of one line", () => {
  expect([isBehind("E:100", "E:99"), isBehind("E:99", "E:100"), isBehind("E:9", "E:9"), isBehind("F:100", "E:99")]).toEqual([true, false, false, false]);
});
