import type { GeoJSON } from "geojson";
import { feature } from "topojson-client";
import { expect, test } from "vitest";
import coarse from "world-atlas/land-50m.json";
import fine from "world-atlas/land-10m.json";
import { unwrapped } from "../src/map/land";

test.each([["coarse", coarse], ["fine", fine]])("no edge of the %s land runs across the world", (_, world) => {
  const land = unwrapped(feature(world, (world as { objects: { land: unknown } }).objects.land) as GeoJSON);
  const edges = land.features.flatMap(({ geometry }) => geometry.coordinates).flatMap((ring) => ring.slice(1).map((point, i) => [ring[i]!, point] as const));
  const long = edges.filter(([[a = 0, lat = 0], [b = 0]]) => Math.abs(a - b) > 30 && lat > -89);

  expect(land.features.length).toBeGreaterThan(1000);
  expect(long).toEqual([]);
});
