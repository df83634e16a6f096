/** Where vehicles are: between two fixes they move, as their last two say how long that takes. */
import { nearest, xOf, yOf } from "./mercator";

export interface Mark {
  readonly id: number;
  /** Where it comes from and goes to, on the square of the world, from when on and for how long, ms. */
  fromX: number;
  fromY: number;
  toX: number;
  toY: number;
  at: number;
  ms: number;
  /** Degrees; NaN: it does not say. */
  heading: number;
  /** m/s; NaN: it does not say. */
  speed: number;
  /** When it was heard of last. */
  seen: number;
  /** x, y, x, y, …, the oldest first. */
  trail: number[];
  /** It is not among them any more since then; Infinity: it is. */
  goneAt: number;
}

/** A vehicle that was silent for longer does not glide to where it is. */
const GLIDE_MS = 10_000;
const TRAIL_POINTS = 60;
/** Of the world: some 20 m at the equator. */
const TRAIL_STEP = 5e-7;
const GONE_MS = 800;

export interface Fix {
  latitude?: unknown;
  longitude?: unknown;
  heading?: unknown;
  speed?: unknown;
}

const numberOf = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : NaN);

export class MapFleet {
  readonly marks = new Map<number, Mark>();
  /** As long as something moves, by performance.now(). */
  busyUntil = 0;

  /** @param at when it came, or was last heard of */
  take(id: number, fix: Fix, at: number, now = at): void {
    const mark = this.marks.get(id);
    const heading = numberOf(fix.heading);
    const speed = numberOf(fix.speed);
    const lon = numberOf(fix.longitude);
    const lat = numberOf(fix.latitude);
    const isPlace = Math.abs(lat) <= 90 && Math.abs(lon) <= 180;

    if (!mark) {
      if (!isPlace) return;
      const [x, y] = [xOf(lon), yOf(lat)];
      this.marks.set(id, { id, fromX: x, fromY: y, toX: x, toY: y, at: now, ms: 0, heading, speed, seen: at, trail: [], goneAt: Infinity });
      this.busyUntil = Math.max(this.busyUntil, now + 50);
      return;
    }
    mark.goneAt = Infinity;
    if (!Number.isNaN(heading)) mark.heading = heading;
    if (!Number.isNaN(speed)) mark.speed = speed;
    if (isPlace) this.#move(mark, xOf(lon), yOf(lat), now);
    mark.seen = Math.max(mark.seen, at);
    this.busyUntil = Math.max(this.busyUntil, now + mark.ms + 50);
  }

  #move(mark: Mark, x: number, y: number, now: number): void {
    const since = now - mark.seen;
    const [shownX, shownY] = placeOf(mark, now);

    mark.toX = nearest(x, 0.5);
    mark.toY = y;
    mark.fromX = nearest(shownX, mark.toX);
    mark.fromY = shownY;
    mark.ms = since > 0 && since < GLIDE_MS ? since : 0;
    mark.at = now;
    const n = mark.trail.length;
    if (n && Math.abs(mark.trail[n - 2]! - x) + Math.abs(mark.trail[n - 1]! - y) < TRAIL_STEP) return;
    mark.trail.push(x, y);
    if (n >= 2 * TRAIL_POINTS) mark.trail.splice(0, 2);
  }

  /** @param isAtOnce it has left the view, and nobody misses it */
  gone(id: number, isAtOnce: boolean, now: number): void {
    const mark = this.marks.get(id);

    if (!mark) return;
    if (isAtOnce) this.marks.delete(id);
    else mark.goneAt = now;
    this.busyUntil = Math.max(this.busyUntil, now + GONE_MS + 50);
  }

  /** Those that have faded. */
  sweep(now: number): void {
    for (const mark of this.marks.values()) if (now - mark.goneAt > GONE_MS) this.marks.delete(mark.id);
  }

  clear(): void {
    this.marks.clear();
  }
}

export function placeOf(mark: Mark, now: number): [x: number, y: number] {
  const part = mark.ms > 0 ? Math.min(1, (now - mark.at) / mark.ms) : 1;
  return [mark.fromX + (mark.toX - mark.fromX) * part, mark.fromY + (mark.toY - mark.fromY) * part];
}

const FRESH_MS = 30_000;
const STALE_MS = 300_000;
const STALE = 0.3;

/** How much of it is seen: less of one that was not heard of for long, nothing of one that is gone. */
export function opacityOf(mark: Mark, now: number): number {
  const age = now - mark.seen;
  const alive = age < FRESH_MS ? 1 : Math.max(STALE, 1 - (1 - STALE) * (age - FRESH_MS) / (STALE_MS - FRESH_MS));

  return mark.goneAt === Infinity ? alive : alive * Math.max(0, 1 - (now - mark.goneAt) / GONE_MS);
}

export const isStale = (mark: Mark, now: number): boolean => now - mark.seen > FRESH_MS;
