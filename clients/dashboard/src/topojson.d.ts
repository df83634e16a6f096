declare module "topojson-client" {
  import type { GeoJSON } from "geojson";

  export function feature(topology: unknown, object: unknown): GeoJSON;
}
