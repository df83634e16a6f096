import { expect, test } from "vitest";
import { sparkPath } from "../src/ui/Sparkline";

test("a line stands at the right, and has a hole where nothing was told", () => {
  expect(sparkPath([0, 2], 3)).toEqual({ line: "M50.0,26.0L100.0,2.0", area: "M50.0,28V26.0L100.0,2.0V28H50.0Z" });
  expect(sparkPath([1, NaN, 1], 3).line).toBe("M0.0,2.0M100.0,2.0");
  expect(sparkPath([], 3)).toEqual({ line: "", area: "" });
});
