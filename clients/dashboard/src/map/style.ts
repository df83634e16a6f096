/**
 * What lies below the vehicles: a coastline that ships with the dashboard (Natural Earth), and tiles or a whole
 * style, where the gateway is set up with some.
 */
import type { Client } from "@tidegate/client";
import type { GeoJSON } from "geojson";
import { addProtocol, type GeoJSONSource, type LayerSpecification, type Map as MapLibre, type StyleSpecification } from "maplibre-gl";
import { feature } from "topojson-client";
import fine from "world-atlas/land-10m.json?url";
import coarse from "world-atlas/land-50m.json?url";
import { ask } from "../data/api";
import { base } from "../session";
import { unwrapped } from "./land";

/** What the gateway is set up with: `http.dashboard_tiles`, `_style`, `_attribution`. */
export interface Setup {
  /** `https://tiles.example/{z}/{x}/{y}.png`, or a PMTiles archive of pictures or vectors: `tiles/region.pmtiles`. */
  tiles: string | null;
  /** MapLibre's JSON, in place of all that is below. */
  style: string | null;
  attribution: string | null;
}

const NOTHING: Setup = { tiles: null, style: null, attribution: null };

/** Where it cannot be asked for, the coast is enough. */
export const setupOf = (client: Client): Promise<Setup> => ask<{ map: Setup }>(client, "api/me").then(({ map }) => map, () => NOTHING);

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

type Parts = Pick<StyleSpecification, "sources" | "layers">;

const MVT = 1;

async function readArchives(): Promise<typeof import("pmtiles")> {
  const pmtiles = await import("pmtiles");

  addProtocol("pmtiles", new pmtiles.Protocol().tile);
  return pmtiles;
}

async function tileParts({ tiles, attribution }: Setup): Promise<Parts> {
  if (!tiles) return { sources: {}, layers: [] };
  const url = new URL(tiles, base());
  const address = decodeURI(url.href); // with its {z}, {x} and {y}
  const shared = attribution ? { attribution } : {};
  const asPictures: Parts["layers"] = [{ id: "tiles", type: "raster", source: "tiles" }];

  if (!url.pathname.endsWith(".pmtiles"))
    return { sources: { tiles: { type: "raster", tiles: [address], tileSize: 256, ...shared } }, layers: asPictures };
  const { PMTiles } = await readArchives();
  const { tileType } = await new PMTiles(url.href).getHeader();
  return {
    sources: { tiles: { type: tileType === MVT ? "vector" : "raster", url: `pmtiles://${url.href}`, ...shared } },
    layers: tileType === MVT ? vectorLayers() : asPictures,
  };
}

const track = {
  sources: { track: { type: "geojson", data: EMPTY } },
  layers: [{
    id: "track", type: "line", source: "track", layout: { "line-cap": "round", "line-join": "round" },
    paint: { "line-color": ["get", "colour"], "line-width": 3.5 },
  }],
} satisfies Parts;

async function givenStyle(style: string): Promise<StyleSpecification> {
  const given = await (await fetch(new URL(style, base()))).json() as StyleSpecification;

  if (JSON.stringify(given.sources).includes("pmtiles://")) await readArchives();
  return { ...given, sources: { ...given.sources, ...track.sources }, layers: [...given.layers, ...track.layers] };
}

/** What cannot be had is left out: a fleet is seen above a coast, too. */
export async function styleOf(setup: Setup): Promise<StyleSpecification> {
  const given = setup.style ? await givenStyle(setup.style).catch(() => undefined) : undefined;
  if (given) return given;
  const { sources, layers } = await tileParts(setup).catch((): Parts => ({ sources: {}, layers: [] }));

  return {
    version: 8,
    sources: {
      land: { type: "geojson", data: EMPTY, attribution: "Natural Earth" },
      graticule: { type: "geojson", data: graticule() },
      ...track.sources, ...sources,
    },
    layers: [
      { id: "background", type: "background", paint: { "background-color": colour("water") } },
      { id: "land", type: "fill", source: "land", paint: { "fill-color": colour("land"), "fill-antialias": true } },
      { id: "graticule", type: "line", source: "graticule", paint: { "line-color": colour("coast"), "line-opacity": 0.35, "line-width": 0.6 } },
      { id: "coast", type: "line", source: "land", paint: { "line-color": colour("coast"), "line-width": 1 } },
      ...layers, ...track.layers,
    ],
  };
}

/** After light has become dark, or the other way round. */
export function recolour(map: MapLibre): void {
  if (!map.getSource("land")) return; /* the style is somebody else's */
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
  if (!map.getSource("land")) return;
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
