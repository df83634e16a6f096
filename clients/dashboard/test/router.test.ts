import { describe, expect, test } from "vitest";
import { parse, to } from "../src/router";

describe("an address", () => {
  test("names a page, a thing and what is asked of it", () => {
    const { page, rest, query } = parse("#/devices/3?tab=log");

    expect([page, rest, query.get("tab")]).toEqual(["devices", ["3"], "log"]);
  });

  test("may be none", () => {
    expect(parse("")).toMatchObject({ page: "", rest: [] });
    expect(parse("#/")).toMatchObject({ page: "", rest: [] });
  });

  test("keeps what a name is made of", () => {
    expect(to("devices", "a/b %")).toBe("#/devices/a%2Fb%20%25");
    expect(parse(to("devices", "a/b %")).rest).toEqual(["a/b %"]);
  });

  test("that somebody has broken is a page that there is not", () => {
    expect(parse("#/%zz").page).toBe("%zz");
  });
});
