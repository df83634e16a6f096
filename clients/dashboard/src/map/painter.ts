/**
 * Draws a fleet on a canvas above the map, so that the map itself need not be drawn anew for each frame in which a
 * vehicle moves. It draws while something moves, and once a second otherwise.
 */
import type { Map as MapLibre } from "maplibre-gl";
import { CLUSTERS_ABOVE, Grid, type Cluster } from "./clusters";
import { isStale, opacityOf, placeOf, type MapFleet, type Mark } from "./fleet";
import { latOf, lonOf, xOf, yOf } from "./mercator";
import { Sprites, type Look } from "./sprites";

const TILE_PX = 512;
const MARGIN_PX = 20;
const HIT_PX = 16;
const IDLE_MS = 1000;
/** More trails than that are no help to anybody. */
const MOST_TRAILS = 500;

export interface Hit {
  vehicle?: number;
  cluster?: Cluster;
}

interface Spot {
  id: number;
  x: number;
  y: number;
  r: number;
  cluster?: Cluster;
}

export class Painter {
  selected: number | undefined;
  /** Of all, not of the selected one alone. */
  hasTrails = false;
  isDark = false;
  /** The map goes where the selected one goes. */
  isFollowing = false;
  #map: MapLibre;
  #fleet: MapFleet;
  #canvas = document.createElement("canvas");
  #pen = this.#canvas.getContext("2d")!;
  #sprites: Sprites | undefined;
  #spots: Spot[] = [];
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #inView = 0;

  constructor(map: MapLibre, fleet: MapFleet) {
    this.#map = map;
    this.#fleet = fleet;
    this.#canvas.style.cssText = "position:absolute;inset:0;width:100%;height:100%;pointer-events:none";
    this.#canvas.setAttribute("aria-hidden", "true");
    map.getCanvasContainer().append(this.#canvas);
    map.on("render", this.#draw);
    this.#next();
  }

  end(): void {
    this.#map.off("render", this.#draw);
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#canvas.remove();
  }

  /** How many are in view, also those that a cluster stands for. */
  get inView(): number {
    return this.#inView;
  }

  /** Something is another: the next frame shows it. */
  wake(): void {
    if (this.#frame) return;
    clearTimeout(this.#timer);
    this.#frame = requestAnimationFrame(this.#turn);
  }

  hit(x: number, y: number): Hit {
    let best: Spot | undefined;
    let least = Infinity;

    for (const spot of this.#spots) {
      const far = Math.hypot(spot.x - x, spot.y - y);
      if (far < least && far <= Math.max(HIT_PX, spot.r)) [best, least] = [spot, far];
    }
    return !best ? {} : best.cluster ? { cluster: best.cluster } : { vehicle: best.id };
  }

  #turn = (): void => {
    this.#frame = 0;
    if (this.isFollowing) this.#follow();
    this.#draw();
    this.#next();
  };

  #next(): void {
    clearTimeout(this.#timer);
    if (performance.now() < this.#fleet.busyUntil) this.wake();
    else this.#timer = setTimeout(() => this.wake(), IDLE_MS);
  }

  #follow(): void {
    const mark = this.#fleet.marks.get(this.selected!);

    if (!mark || this.#map.isZooming()) return;
    const [x, y] = placeOf(mark, performance.now());
    const { lng, lat } = this.#map.getCenter();
    const px = TILE_PX * 2 ** this.#map.getZoom();
    if (Math.hypot(xOf(lng) - x, yOf(lat) - y) * px > 0.5) this.#map.setCenter([lonOf(x), latOf(y)], { isFollowing: true });
  }

  #size(): [width: number, height: number] {
    const { clientWidth: width, clientHeight: height } = this.#map.getContainer();
    const ratio = devicePixelRatio || 1;

    if (this.#canvas.width !== Math.round(width * ratio) || this.#canvas.height !== Math.round(height * ratio)) {
      this.#canvas.width = Math.round(width * ratio);
      this.#canvas.height = Math.round(height * ratio);
    }
    this.#pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.#sprites?.ratio !== ratio || this.#sprites.isDark !== this.isDark) this.#sprites = new Sprites(ratio, this.isDark);
    return [width, height];
  }

  #draw = (): void => {
    const now = performance.now();
    const [width, height] = this.#size();
    const zoom = this.#map.getZoom();
    const scale = TILE_PX * 2 ** zoom;
    const { lng, lat } = this.#map.getCenter();
    const [centerX, centerY] = [xOf(lng), yOf(lat)];
    const seen: [mark: Mark, x: number, y: number, worldX: number, worldY: number][] = [];

    this.#fleet.sweep(now);
    for (const mark of this.#fleet.marks.values()) {
      const [worldX, worldY] = placeOf(mark, now);
      let dx = worldX - centerX;
      dx -= Math.round(dx);
      const x = dx * scale + width / 2;
      const y = (worldY - centerY) * scale + height / 2;
      if (x > -MARGIN_PX && x < width + MARGIN_PX && y > -MARGIN_PX && y < height + MARGIN_PX) seen.push([mark, x, y, worldX, worldY]);
    }
    this.#inView = seen.length;
    this.#spots.length = 0;
    this.#pen.clearRect(0, 0, width, height);
    const toScreen = (worldX: number, worldY: number): [number, number] => {
      const dx = worldX - centerX;
      return [(dx - Math.round(dx)) * scale + width / 2, (worldY - centerY) * scale + height / 2];
    };
    for (const [mark] of seen)
      if (mark.id === this.selected || (this.hasTrails && seen.length <= MOST_TRAILS)) this.#trail(mark, now, toScreen);
    if (seen.length > CLUSTERS_ABOVE) this.#clusters(seen, zoom, now, toScreen);
    else for (const [mark, x, y] of seen) this.#mark(mark, x, y, now);
    this.#pen.globalAlpha = 1;
  };

  #trail(mark: Mark, now: number, toScreen: (x: number, y: number) => [number, number]): void {
    const pen = this.#pen;
    let last: [number, number] | undefined;

    pen.beginPath();
    pen.lineWidth = mark.id === this.selected ? 2.5 : 1.5;
    pen.lineJoin = "round";
    pen.strokeStyle = mark.id === this.selected ? this.#sprites!.colours.selected : this.#sprites!.colours.moving;
    pen.globalAlpha = 0.55 * opacityOf(mark, now);
    for (let i = 0; i + 1 < mark.trail.length - 2; i += 2) last = this.#line(toScreen(mark.trail[i]!, mark.trail[i + 1]!), last);
    this.#line(toScreen(...placeOf(mark, now)), last);
    pen.stroke();
  }

  /* Not across the whole screen, where the world begins anew. */
  #line(point: [number, number], last: [number, number] | undefined): [number, number] {
    if (last && Math.abs(point[0] - last[0]) < this.#canvas.width) this.#pen.lineTo(...point);
    else this.#pen.moveTo(...point);
    return point;
  }

  #mark(mark: Mark, x: number, y: number, now: number): void {
    const isChosen = mark.id === this.selected;
    const look: Look = isChosen ? "selected" : isStale(mark, now) ? "stale" : mark.speed > 0.3 || Number.isNaN(mark.speed) ? "moving" : "still";

    this.#pen.globalAlpha = isChosen ? Math.max(0.6, opacityOf(mark, now)) : opacityOf(mark, now);
    this.#sprites!.draw(this.#pen, look, mark.heading, x, y);
    this.#spots.push({ id: mark.id, x, y, r: 0 });
  }

  #clusters(seen: [mark: Mark, x: number, y: number, worldX: number, worldY: number][], zoom: number, now: number,
    toScreen: (x: number, y: number) => [number, number]): void {
    const grid = new Grid(zoom);

    for (const [mark, , , worldX, worldY] of seen) grid.add(mark.id, worldX, worldY);
    for (const cluster of grid.clusters) {
      const [x, y] = toScreen(cluster.x, cluster.y);
      if (cluster.n === 1) {
        this.#mark(this.#fleet.marks.get(cluster.id)!, x, y, now);
        continue;
      }
      const r = 11 + Math.min(20, 4.5 * Math.log10(cluster.n) ** 1.4);
      this.#pen.globalAlpha = 1;
      this.#sprites!.circle(this.#pen, x, y, r, cluster.n);
      this.#spots.push({ id: cluster.id, x, y, r, cluster });
    }
    const chosen = seen.find(([mark]) => mark.id === this.selected);
    if (chosen) this.#mark(chosen[0], chosen[1], chosen[2], now);
  }
}
