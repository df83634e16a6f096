/**
 * What lies below the vehicles: a coastline that ships with the dashboard (Natural Earth), and tiles, where
 * config.json beside the document names some.
 */
import type { GeoJSON } from "geojson";
import { addProtocol, type GeoJSONSource, type LayerSpecification, type Map as MapLibre, type SourceSpecification, type StyleSpecification } from "maplibre-gl";
import { feature } from "topojson-client";
import fine from "world-atlas/land-10m.json?url";
import coarse from "world-atlas/land-50m.json?url";
import { base } from "../session";
import { unwrapped } from "./land";

export interface Tiles {
  /** `https://tiles.example/{z}/{x}/{y}.png`, or a PMTiles archive: `tiles/region.pmtiles`. */
  url: string;
  /** Of an archive with vectors (Protomaps' basemap); pictures unless said. */
  kind?: "raster" | "vector";
  attribution?: string;
  maxzoom?: number;
}

export interface Config {
  tiles?: Tiles;
  /** Where the map begins, and how near: [lon, lat, zoom]. The fleet, unless said. */
  view?: [number, number, number];
}

let asked: Promise<Config> | undefined;

export const config = (): Promise<Config> => (asked ??= fetch(new URL("config.json", base()), { cache: "no-cache" })
  .then((answer) => (answer.ok ? answer.json() as Promise<Config> : {}))
  .catch(() => ({})));

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/* A net of lines, so that open water has a scale, too. */
function graticule(): GeoJSON {
  const lines: number[][][] = [];

  for (let lon = -180; lon <= 180; lon += 10) lines.push([-85, -60, -30, 0, 30, 60, 85].map((lat) => [lon, lat]));
  for (let lat = -80; lat <= 80; lat += 10) lines.push([-180, -90, 0, 90, 180].map((lon) => [lon, lat]));
  return { type: "Feature", properties: {}, geometry: { type: "MultiLineString", coordinates: lines } };
}

const EMPTY: GeoJSON = { type: "FeatureCollection", features: [] };

function vectorLayers(): LayerSpecification[] {
  const of = (id: string, rest: object): LayerSpecification => ({ id, source: "tiles", "source-layer": id, ...rest }) as LayerSpecification;

  return [
    of("earth", { type: "fill", paint: { "fill-color": colour("land") } }),
    of("water", { type: "fill", paint: { "fill-color": colour("water") } }),
    of("roads", { type: "line", paint: { "line-color": colour("coast"), "line-width": 0.7 } }),
    of("boundaries", { type: "line", paint: { "line-color": colour("coast"), "line-dasharray": [3, 2] } }),
  ];
}

async function tileParts({ tiles }: Config): Promise<{ sources: Record<string, SourceSpecification>; layers: LayerSpecification[] }> {
  if (!tiles) return { sources: {}, layers: [] };
  const { url, kind = "raster", attribution = "", maxzoom } = tiles;
  const isArchive = new URL(url, base()).pathname.endsWith(".pmtiles");
  const address = decodeURI(new URL(url, base()).href);

  if (isArchive) addProtocol("pmtiles", new (await import("pmtiles")).Protocol().tile);
  return {
    sources: {
      tiles: {
        type: kind, attribution, ...(maxzoom && { maxzoom }),
        ...(isArchive ? { url: `pmtiles://${address}` } : { tiles: [address], ...(kind === "raster" && { tileSize: 256 }) }),
      } as SourceSpecification,
    },
    layers: kind === "raster" ? [{ id: "tiles", type: "raster", source: "tiles" }] : vectorLayers(),
  };
}

export async function styleOf(found: Config): Promise<StyleSpecification> {
  const { sources, layers } = await tileParts(found);

  return {
    version: 8,
    sources: {
      land: { type: "geojson", data: EMPTY, attribution: "Natural Earth" },
      graticule: { type: "geojson", data: graticule() },
      track: { type: "geojson", data: EMPTY },
      ...sources,
    },
    layers: [
      { id: "background", type: "background", paint: { "background-color": colour("water") } },
      { id: "land", type: "fill", source: "land", paint: { "fill-color": colour("land"), "fill-antialias": true } },
      { id: "graticule", type: "line", source: "graticule", paint: { "line-color": colour("coast"), "line-opacity": 0.35, "line-width": 0.6 } },
      { id: "coast", type: "line", source: "land", paint: { "line-color": colour("coast"), "line-width": 1 } },
      ...layers,
      {
        id: "track", type: "line", source: "track", layout: { "line-cap": "round", "line-join": "round" },
        paint: { "line-color": ["get", "colour"], "line-width": 3.5 },
      },
    ],
  };
}

/** After light has become dark, or the other way round. */
export function recolour(map: MapLibre): void {
  const set = (layer: string, property: "background-color" | "fill-color" | "line-color", name: string): void => {
    if (map.getLayer(layer)) map.setPaintProperty(layer, property, colour(name));
  };

  set("background", "background-color", "water");
  for (const [layer, name] of [["land", "land"], ["earth", "land"], ["water", "water"]] as const) set(layer, "fill-color", name);
  for (const layer of ["coast", "graticule", "roads", "boundaries"]) set(layer, "line-color", "coast");
}

const FINE_ZOOM = 5;

async function landOf(address: string): Promise<GeoJSON> {
  const world = await (await fetch(address)).json() as { objects: Record<string, unknown> };
  return unwrapped(feature(world, world.objects.land));
}

/** The coast for the whole world at once, and to 100 m or so as soon as one is near. */
export function showLand(map: MapLibre): void {
  let isFine = false;
  const set = (land: GeoJSON): void => (map.getSource("land") as GeoJSONSource | undefined)?.setData(land) as never;
  const look = (): void => {
    if (isFine || map.getZoom() < FINE_ZOOM) return;
    isFine = true;
    map.off("zoom", look);
    landOf(fine).then(set, () => void (isFine = false));
  };

  landOf(coarse).then((land) => {
    if (!isFine) set(land);
  }, () => {});
  map.on("zoom", look);
  look();
}
