/** The world as a square of 1, north up; west and east wrap. */
const MOST = 85.051129;

export const xOf = (lon: number): number => (lon + 180) / 360;

export function yOf(lat: number): number {
  const sin = Math.sin((Math.max(-MOST, Math.min(MOST, lat)) * Math.PI) / 180);
  return 0.5 - Math.log((1 + sin) / (1 - sin)) / (4 * Math.PI);
}

export const lonOf = (x: number): number => x * 360 - 180;
export const latOf = (y: number): number => (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;

/** The way from one to the other that is not around the world. */
export const nearest = (x: number, to: number): number => x - Math.round(x - to);

const EARTH_M = 6_371_008.8;

/** Metres, along a great circle. */
export function metres(lon1: number, lat1: number, lon2: number, lat2: number): number {
  const rad = Math.PI / 180;
  const a = Math.sin(((lat2 - lat1) * rad) / 2) ** 2
    + Math.cos(lat1 * rad) * Math.cos(lat2 * rad) * Math.sin(((lon2 - lon1) * rad) / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(a)));
}
