/** What is kept of points, and what a payload says: no gateway is needed. */
import { expect, test } from "vitest";
import { Chart, valueOf, type Column } from "../src/chart.js";

const point = (at: number, value: number): Column => [at, value, at, value, at, value, at, value, 1];

test("of each column the first, the least, the greatest and the last are kept, in whatever order points come", () => {
  const values = [5, 9, 1, 4, 7];
  const order = [3, 0, 4, 2, 1];
  const chart = new Chart(1000, 100, 1000);

  for (const i of order) chart.add(point(1000 + i, values[i]!));
  expect(chart.columns).toEqual([[1000, 5, 1002, 1, 1001, 9, 1004, 7, 5]]);
  expect(chart.points).toEqual([[1000, 5], [1001, 9], [1002, 1], [1004, 7]]);
});

test("of equal ones the first is told, and of one time the last of the last", () => {
  const chart = new Chart(0, 100, 1000);

  for (const [at, value] of [[10, 3], [5, 3], [20, 8], [20, 3], [30, 8], [30, 4]]) chart.add(point(at!, value!));
  expect(chart.columns).toEqual([[5, 3, 5, 3, 20, 8, 30, 4, 6]]);
});

test("what is late has its own column, and what is older than all of it none", () => {
  const chart = new Chart(0, 10, 100);

  for (const at of [5, 205, 155, 95, 105]) chart.add(point(at, at));
  expect(chart.points.map(([at]) => at)).toEqual([105, 155, 205]);
});

test("a million points cost the columns of a chart", () => {
  const chart = new Chart(0, 10, 1000);

  for (let i = 0; i < 1_000_000; i++) chart.add(point(i, i % 7));
  expect(chart.columns.length).toBe(101);
  expect(chart.columns.at(-1)).toEqual([999_990, 5, 999_992, 0, 999_991, 6, 999_999, 0, 10]);
});

test.each<[string, unknown, number | undefined]>([
  ["v", { v: 1.5 }, 1.5], ["/v", { v: 1.5 }, 1.5], ["a/b", { "a/b": 2 }, 2], ["/a~1b", { "a/b": 2 }, 2], ["/deep/x~0y/1", { deep: { "x~y": [3, 4] } }, 4],
  ["on", { on: true }, 1], ["off", { off: false }, 0], ["v", { v: "5" }, undefined], ["v", { v: null }, undefined], ["v", 5, undefined], ["v", null, undefined],
  ["v", { v: Infinity }, undefined], ["toString", {}, undefined], ["length", [1], undefined], ["/length", [1], undefined], ["/01", [1, 2], undefined], ["/v/w", { v: 1 }, undefined],
])("%s of %j is %s", (member, data, value) => {
  expect(valueOf(data, member)).toBe(value);
});
