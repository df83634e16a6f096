import { expect, test } from "vitest";
import { numbersOf, pointsOf, rangeOf } from "../src/charts/columns";

test("a column is up to four points, each once, in the order of time", () => {
  expect(pointsOf([1, 5, 3, 2, 2, 9, 4, 6, 12])).toEqual([[1, 5], [2, 9], [3, 2], [4, 6]]);
  expect(pointsOf([1, 5, 1, 5, 1, 5, 1, 5, 1])).toEqual([[1, 5]]);
});

test("what can be drawn are numbers and switches, wherever they lie", () => {
  expect(numbersOf({ power: 1, on: true, name: "x", deep: { "a/b": 2, list: [3] }, none: null, "/odd": 4 }))
    .toEqual(["power", "on", "/deep/a~1b", "/deep/list/0", "/~1odd"]);
  expect(numbersOf("text")).toEqual([]);
  expect(numbersOf(null)).toEqual([]);
});

test("a flat line has room around it", () => {
  expect(rangeOf(5, 5)).toEqual([4.5, 5.5]);
  expect(rangeOf(0, 0)).toEqual([-1, 1]);
  expect(rangeOf(2, 10, true)[0]).toBe(0);
  expect(rangeOf(null, null)).toEqual([0, 1]);
});
