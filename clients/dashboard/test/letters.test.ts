/** Dead letters: what is asked for, and what is told of those that were taken in again. */
import { describe, expect, test } from "vitest";
import { askFor, howMany, outcome, type Group } from "../src/operation/letters";

const group = (of: Partial<Group>): Group => ({ count: 1, newest_id: 1, first: "", last: "", ...of });

describe("a group", () => {
  test("is asked for by what can be asked for, the rest apart", () => {
    expect(`${askFor(group({ reason: "bad_json", route: null, detail: "at 3" }), "1h")}`).toBe("from=1h&reason=bad_json&route=");
    expect(`${askFor(group({ device: null, topic: "a/b c" }), "")}`).toBe("topic=a%2Fb+c");
    expect(`${askFor(group({ device: "x" }), "")}`).toBe("device=x");
  });

  test("counts also what has another detail", () => {
    const all = [group({ count: 3, reason: "a", detail: "x" }), group({ count: 4, reason: "a", detail: "y" }), group({ count: 5, reason: "b", detail: "x" })];

    expect(all.map((one) => howMany(all, one))).toEqual([7, 7, 5]);
  });
});

test("what came back is told apart from what others had before", () => {
  expect(outcome(5, { stored: 9, unknown_device: 2 }, { stored: 12, unknown_device: 3, waiting: 1 })).toEqual({ back: 3, waiting: 1, again: 1 });
  expect(outcome(5, {}, { taken: 5 })).toEqual({ back: 0, waiting: 5, again: 0 });
  expect(outcome(2, { unknown_device: 2 }, { unknown_device: 2 })).toEqual({ back: 0, waiting: 0, again: 2 });
});
