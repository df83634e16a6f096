import { afterEach, describe, expect, test, vi } from "vitest";
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

describe("a time of day, where clocks are put back", () => {
  const load = async (zone: string, at: string) => {
    vi.resetModules();
    vi.stubEnv("TZ", zone);
    const [i18n, clock] = await Promise.all([import("../src/i18n"), import("../src/data/clock")]);
    clock.heardTime(at);
    return (value: string | number) => i18n.time(value).replaceAll("\u202f", " "); // which one depends on Node's ICU
  };

  afterEach(() => vi.unstubAllEnvs());

  test("a time of the last hours has no day, one of before has", async () => {
    const time = await load("Europe/Berlin", "2026-04-27T10:00:00Z");

    expect(time("2026-04-27T09:57:00Z")).toBe("11:57:00 AM");
    expect(time("2026-04-26T23:00:00Z")).toBe("1:00:00 AM");
    expect(time("2026-04-26T21:00:00Z")).toBe("Apr 26, 2026, 11:00:00 PM");
  });

  test.each([
    ["Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"],
    ["Australia/Lord_Howe", "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"],
    ["America/New_York", "2026-11-01T05:59:59Z", "2026-11-01T06:59:59Z"],
  ])("of an hour that there is twice it says which one: %s", async (zone, first, second) => {
    const time = await load(zone, second);

    expect(time(first)).not.toBe(time(second));
    expect(time(first).split(" ").slice(0, 2)).toEqual(time(second).split(" ").slice(0, 2));
    expect(time(Date.parse(first) - 3_600_000)).toMatch(/[AP]M$/);
    expect(time(Date.parse(second) + 3_600_000)).toMatch(/[AP]M$/);
  });

  test("the hour that is left out in spring is no hour that there is twice", async () => {
    const time = await load("Europe/Berlin", "2026-03-29T02:00:00Z");

    expect([time("2026-03-29T00:59:59Z"), time("2026-03-29T01:00:00Z")]).toEqual(["1:59:59 AM", "3:00:00 AM"]);
  });
});
