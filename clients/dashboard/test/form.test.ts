/** What a form says of answers that are a no. */
import { expect, test } from "vitest";
import { Failed } from "../src/data/api";
import { placed } from "../src/ui/errors";

const no = (status: number, code: string, detail: string): Failed => new Failed(status, code, `${status}: ${detail}`, detail);

test("an error that names a field is told there", () => {
  expect(placed(no(422, "invalid", "password: allowed: 8 to 255 bytes"), ["username", "password"])).toEqual({ field: "password", message: "Allowed: 8 to 255 bytes" });
  expect(placed(no(422, "invalid", "role: allowed: user"), ["username"])).toEqual({ message: "There is none of this name" });
});

test("one that names none is told where it must be, or below all", () => {
  expect(placed(no(409, "conflict", "There is one already"), ["code", "user"])).toEqual({ field: "code", message: "There is one of this name already" });
  expect(placed(no(422, "invalid", "There is no such user, or device."), ["code", "user"])).toEqual({ field: "user", message: "There is none of this name" });
  expect(placed(no(409, "yourself", "Another admin"), []).message).toContain("yourself");
  expect(placed(no(503, "unavailable", "away"), ["code"])).toEqual({ message: "503: away" });
  expect(placed(new Error("gone"), ["code"])).toEqual({ message: "gone" });
});
