import { describe, expect, test } from "vitest";
import { Grid, isCrowd } from "../src/map/clusters";
import { isStale, MapFleet, opacityOf, placeOf } from "../src/map/fleet";
import { latOf, lonOf, metres, xOf, yOf } from "../src/map/mercator";

const shown = (fleet: MapFleet, id: number, now: number): number[] => {
  const [x, y] = placeOf(fleet.marks.get(id)!, now);
  return [lonOf(x), latOf(y)].map((degrees) => Math.round(degrees * 1e6) / 1e6);
};

describe("a vehicle", () => {
  test("glides to its fix for as long as it took from the one before", () => {
    const fleet = new MapFleet();

    fleet.take(1, { longitude: 10, latitude: 0 }, 0);
    fleet.take(1, { longitude: 11, latitude: 0 }, 2000);
    expect(shown(fleet, 1, 2000)).toEqual([10, 0]);
    expect(shown(fleet, 1, 3000)).toEqual([10.5, 0]);
    expect(shown(fleet, 1, 9000)).toEqual([11, 0]);
  });

  test("that comes back after a silence is where it is at once", () => {
    const fleet = new MapFleet();

    fleet.take(1, { longitude: 10, latitude: 0 }, 0);
    fleet.take(1, { longitude: 20, latitude: 5 }, 60_000);
    expect(shown(fleet, 1, 60_000)).toEqual([20, 5]);
  });

  test("crosses the antimeridian by the short way", () => {
    const fleet = new MapFleet();

    fleet.take(1, { longitude: 179, latitude: 0 }, 0);
    fleet.take(1, { longitude: -179, latitude: 0 }, 1000);
    expect(shown(fleet, 1, 1500)[0]).toBeCloseTo(-180);
  });

  test("without a place is nowhere, and keeps its place where a fix has none", () => {
    const fleet = new MapFleet();

    fleet.take(1, { heading: 5 }, 0);
    expect(fleet.marks.size).toBe(0);
    fleet.take(1, { longitude: 10, latitude: 0 }, 0);
    fleet.take(1, { longitude: "10", latitude: 91, heading: 90 }, 1000);
    expect(shown(fleet, 1, 5000)).toEqual([10, 0]);
    expect(fleet.marks.get(1)!.heading).toBe(90);
  });

  test("fades while nothing is heard of it, and goes when it is gone", () => {
    const fleet = new MapFleet();

    fleet.take(1, { longitude: 10, latitude: 0 }, 0);
    const mark = fleet.marks.get(1)!;
    expect([opacityOf(mark, 10_000), isStale(mark, 10_000)]).toEqual([1, false]);
    expect(opacityOf(mark, 165_000)).toBeCloseTo(0.65);
    expect([opacityOf(mark, 1e9), isStale(mark, 1e9)]).toEqual([0.3, true]);
    fleet.gone(1, false, 1e9);
    expect(opacityOf(mark, 1e9 + 800)).toBe(0);
    fleet.sweep(1e9 + 801);
    expect(fleet.marks.size).toBe(0);
  });

  test("leaves a trail that is bounded", () => {
    const fleet = new MapFleet();

    for (let n = 0; n < 500; ++n) fleet.take(1, { longitude: n / 100, latitude: 0 }, n * 1000);
    expect(fleet.marks.get(1)!.trail.length).toBeLessThanOrEqual(122);
  });
});

test("vehicles of one cell are one cluster, in their middle", () => {
  const grid = new Grid(3.7);

  grid.add(1, 0.5001, 0.5001);
  grid.add(2, 0.5003, 0.5003);
  grid.add(3, 0.9, 0.9);
  expect([...grid.clusters].map(({ n, x }) => [n, Math.round(x * 1e4) / 1e4])).toEqual([[2, 0.5002], [1, 0.9]]);
});

test("more than 5,000 are a crowd, and on a phone fewer", () => {
  expect([5000, 5001].map((n) => isCrowd(n, 1070, 745))).toEqual([false, true]);
  expect([1900, 1901].map((n) => isCrowd(n, 380, 750))).toEqual([false, true]);
});

test("the square of the world is there and back", () => {
  expect([lonOf(xOf(-74.006)), latOf(yOf(40.7128))].map((degrees) => degrees.toFixed(6))).toEqual(["-74.006000", "40.712800"]);
  expect(metres(0, 0, 1, 0)).toBeCloseTo(111_195, -1);
});
