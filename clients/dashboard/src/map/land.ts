/** The land of Natural Earth, as a map takes it. */
import type { Feature, FeatureCollection, GeoJSON, Polygon, Position } from "geojson";

/* Longitudes of a ring go on over the 180th meridian, where the data begins anew on the other side. */
function unwrapRing(ring: Position[]): Position[] {
  let turns = 0;
  const points = ring.map(([lon = 0, lat = 0], i) => {
    const step = i ? lon - ring[i - 1]![0]! : 0;
    if (Math.abs(step) > 180) turns -= Math.sign(step);
    return [lon + 360 * turns, lat];
  });

  if (turns !== 0) { /* around a pole: by its edge */
    const lat = points[0]![1]! < 0 ? -90 : 90;
    points.push([points.at(-1)![0]!, lat], [points[0]![0]!, lat], [...points[0]!]);
  }
  const lons = points.map(([lon]) => lon!);
  const middle = (lons.reduce((a, b) => Math.min(a, b)) + lons.reduce((a, b) => Math.max(a, b))) / 2;
  const shift = 360 * Math.round(middle / 360);
  return points.map(([lon, lat]) => [lon! - shift, lat!]);
}

/** One feature for each piece of land. */
export function unwrapped(land: GeoJSON): FeatureCollection<Polygon> {
  const parts = land.type === "FeatureCollection" ? land.features : land.type === "Feature" ? [land] : [];
  const polygons = parts.flatMap(({ geometry }) =>
    geometry.type === "Polygon" ? [geometry.coordinates] : geometry.type === "MultiPolygon" ? geometry.coordinates : []);
  const features = polygons.map((rings): Feature<Polygon> => (
    { type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates: rings.map(unwrapRing) } }));

  return { type: "FeatureCollection", features };
}
