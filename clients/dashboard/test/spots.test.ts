import { expect, test } from "vitest";
import { areSame, type Spot } from "../src/map/spots";

const spot: Spot = { id: 1, x: 100, y: 50, r: 0, look: "moving", heading: 45, alpha: 1 };
const other: Spot = { ...spot, id: 2, x: 300, heading: NaN };
const many: Spot = { ...spot, r: 15, cluster: { x: 0.5, y: 0.5, n: 70, id: 1 } };
const and = (change: Partial<Spot>): boolean => areSame([other, spot], [other, { ...spot, ...change }]);

test("what moved by less than anybody sees is there already", () => {
  expect([and({}), and({ x: 100.4, y: 49.6 }), and({ heading: 46 }), and({ alpha: 0.99 })]).toEqual([true, true, true, true]);
});

test("what moved, turned, faded, came, left or counts more is drawn", () => {
  expect([and({ x: 100.6 }), and({ y: 49.4 }), and({ heading: 90 }), and({ heading: NaN }), and({ alpha: 0.9 }), and({ look: "stale" }), and({ id: 3 })])
    .toEqual(Array(7).fill(false));
  expect([areSame([spot], []), areSame([], [spot]), areSame([spot, other], [other, spot])]).toEqual([false, false, false]);
  expect(areSame([many], [{ ...many, cluster: { ...many.cluster!, n: 71 } }])).toBe(false);
  expect(areSame([many], [{ ...many, cluster: { ...many.cluster!, x: 0.500001 } }])).toBe(true);
});
