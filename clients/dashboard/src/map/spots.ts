/** What is drawn of a fleet, and whether that differs from what is there already: most frames of a map need nothing new. */
import type { Cluster } from "./clusters";
import type { Look } from "./sprites";

export interface Spot {
  id: number;
  /** px */
  x: number;
  y: number;
  /** Of a circle, which stands for many; 0: a vehicle. */
  r: number;
  look: Look;
  /** Degrees; NaN: it does not say. */
  heading: number;
  alpha: number;
  cluster?: Cluster;
}

/** What nobody can tell from what was there before. */
const SAME_PX = 0.5;
const SAME_DEGREES = 2.5;
const SAME_ALPHA = 0.02;

const isNear = (a: number, b: number, by: number): boolean => Math.abs(a - b) < by || (Number.isNaN(a) && Number.isNaN(b));

const isSame = (a: Spot, b: Spot): boolean =>
  a.id === b.id && isNear(a.x, b.x, SAME_PX) && isNear(a.y, b.y, SAME_PX) && a.look === b.look && isNear(a.heading, b.heading, SAME_DEGREES)
  && isNear(a.alpha, b.alpha, SAME_ALPHA) && a.r === b.r && a.cluster?.n === b.cluster?.n;

/** Does one picture show what the other does? Both in the order of the fleet. */
export const areSame = (some: Spot[], others: Spot[]): boolean => some.length === others.length && some.every((spot, i) => isSame(spot, others[i]!));
