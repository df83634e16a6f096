import { describe, expect, test } from "vitest";
import { boxAround, suffices } from "../src/map/follow";
import { colourTrack, SPEED_COLOURS } from "../src/map/track";

describe("the box that is asked for", () => {
  test("is the view and a quarter of it around", () => {
    expect(boxAround([10, 50, 14, 54])).toEqual([9, 49, 15, 55]);
  });

  test("crosses the 180th meridian where the view does", () => {
    const box = boxAround([175, -5, 185, 5]);

    expect(box).toEqual([172.5, -7.5, -172.5, 7.5]);
    expect(suffices(box, [175, -5, 185, 5])).toBe(true);
    expect(suffices(box, [165, -5, 175, 5])).toBe(false);
  });

  test("is the world where the view is", () => {
    expect(boxAround([-200, -80, 200, 85])).toEqual([-180, -90, 180, 90]);
  });

  test("stays while a small move is inside, and is another where it was far too large", () => {
    const box = boxAround([10, 50, 14, 54]);

    expect(suffices(box, [10.5, 50.5, 14.5, 54.5])).toBe(true);
    expect(suffices(box, [13, 50, 17, 54])).toBe(false);
    expect(suffices(box, [11, 51, 12, 52])).toBe(false);
  });
});

describe("a track", () => {
  const line = (coordinates: number[][], coordTimes: string[]) => colourTrack({ geometry: { type: "LineString", coordinates }, properties: { coordTimes } });

  test("has the colour of its speed, one piece for neighbours of one colour", () => {
    const seconds = [0, 10, 20, 21, 22, 23];
    const { lines } = line([0, 1, 2, 3, 4, 5].map((n) => [n / 1000, 0]), seconds.map((s) => `2026-01-01T00:00:${`${s}`.padStart(2, "0")}Z`));

    expect(lines.features.map(({ properties, geometry }) => [properties.colour, geometry.coordinates.length]))
      .toEqual([[SPEED_COLOURS[0], 3], [SPEED_COLOURS.at(-1), 4]]);
  });

  test("has a hole where nothing was heard for long", () => {
    const { lines } = line([[0, 0], [0.001, 0], [1, 1], [1.001, 1]],
      ["2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z", "2026-01-01T05:00:00Z", "2026-01-01T05:00:10Z"]);

    expect(lines.features.flatMap(({ geometry }) => geometry.coordinates)).not.toContainEqual([0.5, 0.5]);
    expect(lines.features.length).toBe(2);
  });

  test("is as fast as was said, where that was, though it was replayed a hundred times as fast", () => {
    const at = (s: number): number => Date.parse("2026-01-01T00:00:00Z") + s * 1000;
    const given = { geometry: { type: "LineString", coordinates: [0, 1, 2, 3].map((n) => [n / 100, 0]) },
      properties: { coordTimes: [0, 1, 2, 3].map((s) => new Date(at(s)).toISOString()) } };

    expect(colourTrack(given).fastest).toBeGreaterThan(1000);
    const { fastest, lines } = colourTrack(given, [[at(0.5), 2], [at(1.5), 9], [at(2.5), 9]]);
    expect(fastest).toBe(9);
    expect(lines.features.map(({ properties }) => properties.colour)).toEqual([SPEED_COLOURS[1], SPEED_COLOURS.at(-1)]);
    expect(colourTrack(given, [[at(-7200), 9]]).fastest).toBeGreaterThan(1000); /* too long ago */
    expect(colourTrack(given, [[at(60), 9]]).fastest).toBeGreaterThan(1000); /* not yet */
  });

  test("may be nothing", () => {
    expect(colourTrack({ geometry: null, properties: { coordTimes: [] } }).lines.features).toEqual([]);
  });
});
