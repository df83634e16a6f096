import { expect, test } from "vitest";
import { ago, number, t } from "../src/i18n";

test("a text is filled in, and what is filled in is text", () => {
  expect(t("connection.ended", { reason: "<b>{x}</b>" })).toBe("The gateway has ended this: <b>{x}</b>");
});

test("a number is as its reader writes it", () => {
  expect(number(12345)).toBe("12,345");
  expect(number(1.23456)).toBe("1.23");
  expect(number(NaN)).toBe("–");
  expect([number(-0.001), number(-0), number(-0.04, 1), number(-0.05, 1)]).toEqual(["0", "0", "0", "-0.1"]);
});

test("a time is so long ago by the clock that is given", () => {
  const now = Date.parse("2026-04-27T10:00:00Z");

  expect(ago("2026-04-27T09:57:00Z", now)).toBe("3 min. ago");
  expect(ago("2026-04-27T09:59:58Z", now)).toBe("now");
  expect(ago(null, now)).toBe("–");
});
