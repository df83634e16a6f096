import { LngLatBounds, type Map as MapLibre } from "maplibre-gl";
import { placeOf, type MapFleet } from "./fleet";
import { latOf, lonOf } from "./mercator";

const NEAR_ZOOM = 12;

/** Shows all of the fleet but for what is far from the rest. @param left, bottom so many pixels are covered there */
export function fit(map: MapLibre, fleet: MapFleet, left: number, bottom = 0): void {
  const at = performance.now();
  const places = [...fleet.marks.values()].map((mark) => placeOf(mark, at));
  const middle = (n: 0 | 1): number[] => {
    const sorted = places.map((place) => place[n]).sort((a, b) => a - b);
    return [sorted[Math.floor(sorted.length * 0.02)]!, sorted[Math.ceil(sorted.length * 0.98) - 1]!];
  };

  if (!places.length) return;
  const [[west, east], [north, south]] = [middle(0), middle(1)];
  map.fitBounds(new LngLatBounds([lonOf(west!), latOf(south!)], [lonOf(east!), latOf(north!)]),
    { padding: { top: 90, right: 60, bottom: 60 + bottom, left: 60 + left }, maxZoom: NEAR_ZOOM, animate: false });
}
