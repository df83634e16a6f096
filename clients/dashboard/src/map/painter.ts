/**
 * Draws a fleet on a canvas above the map, so that the map itself need not be drawn anew for each frame in which a
 * vehicle moves. It looks while something moves, and once a second otherwise, and draws what is not there yet.
 */
import type { Map as MapLibre } from "maplibre-gl";
import { Grid, isCrowd, type Cluster } from "./clusters";
import { isStale, opacityOf, placeOf, type MapFleet, type Mark } from "./fleet";
import { latOf, lonOf, xOf, yOf } from "./mercator";
import { areSame, type Spot } from "./spots";
import { Sprites, type Look } from "./sprites";

const TILE_PX = 512;
const MARGIN_PX = 20;
const HIT_PX = 16;
const IDLE_MS = 1000;
/** As often as a vehicle is heard of at most; numbers that change faster nobody reads. */
const CLUSTERS_MS = 250;
/** More trails than that are no help to anybody. */
const MOST_TRAILS = 500;

export interface Hit {
  vehicle?: number;
  cluster?: Cluster;
}

type Seen = [mark: Mark, x: number, y: number, worldX: number, worldY: number];
type ToScreen = (worldX: number, worldY: number) => [number, number];

export class Painter {
  selected: number | undefined;
  /** Of all, not of the selected one alone. */
  hasTrails = false;
  isDark = false;
  /** The map goes where the selected one goes. */
  isFollowing = false;
  /** Of the map's bottom so much lies under something: what is followed is in the middle of the rest. */
  coveredPx = 0;
  #map: MapLibre;
  #fleet: MapFleet;
  #canvas = document.createElement("canvas");
  #pen = this.#canvas.getContext("2d")!;
  #sprites: Sprites | undefined;
  #spots: Spot[] = [];
  /** From where they were seen, and when. */
  #camera = "";
  #drawnAt = 0;
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
    const px = TILE_PX * 2 ** this.#map.getZoom();
    const [x, there] = placeOf(mark, performance.now());
    const y = there + this.coveredPx / 2 / px;
    const { lng, lat } = this.#map.getCenter();
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
    const toScreen: ToScreen = (worldX, worldY) => {
      const dx = worldX - centerX;
      return [(dx - Math.round(dx)) * scale + width / 2, (worldY - centerY) * scale + height / 2];
    };
    const seen: Seen[] = [];

    this.#fleet.sweep(now);
    for (const mark of this.#fleet.marks.values()) {
      const [worldX, worldY] = placeOf(mark, now);
      const [x, y] = toScreen(worldX, worldY);
      if (x > -MARGIN_PX && x < width + MARGIN_PX && y > -MARGIN_PX && y < height + MARGIN_PX) seen.push([mark, x, y, worldX, worldY]);
    }
    this.#inView = seen.length;
    const isMany = isCrowd(seen.length, width, height);
    const camera = [lng, lat, zoom, width, height, this.#sprites!.ratio, this.isDark, this.selected, this.hasTrails].join();
    if (camera === this.#camera && isMany && now - this.#drawnAt < CLUSTERS_MS) return;
    const spots = isMany ? this.#clusters(seen, zoom, now, toScreen) : seen.map(([mark, x, y]) => this.#spot(mark, x, y, now));
    if (camera === this.#camera && areSame(spots, this.#spots)) return;
    [this.#camera, this.#spots, this.#drawnAt] = [camera, spots, now];
    this.#paint(seen, width, height, now, toScreen);
  };

  #paint(seen: Seen[], width: number, height: number, now: number, toScreen: ToScreen): void {
    const pen = this.#pen;

    pen.clearRect(0, 0, width, height);
    for (const [mark] of seen)
      if (mark.id === this.selected || (this.hasTrails && seen.length <= MOST_TRAILS)) this.#trail(mark, now, toScreen);
    for (const { look, heading, alpha, x, y, r, cluster } of this.#spots) {
      pen.globalAlpha = alpha;
      if (cluster) this.#sprites!.circle(pen, x, y, r, cluster.n);
      else this.#sprites!.draw(pen, look, heading, x, y);
    }
    pen.globalAlpha = 1;
  }

  #trail(mark: Mark, now: number, toScreen: ToScreen): void {
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

  #spot(mark: Mark, x: number, y: number, now: number): Spot {
    const isChosen = mark.id === this.selected;
    const look: Look = isChosen ? "selected" : isStale(mark, now) ? "stale" : mark.speed > 0.3 || Number.isNaN(mark.speed) ? "moving" : "still";
    const alpha = opacityOf(mark, now);

    return { id: mark.id, x, y, r: 0, look, heading: mark.heading, alpha: isChosen ? Math.max(0.6, alpha) : alpha };
  }

  #clusters(seen: Seen[], zoom: number, now: number, toScreen: ToScreen): Spot[] {
    const grid = new Grid(zoom);
    const spots: Spot[] = [];

    for (const [mark, , , worldX, worldY] of seen) grid.add(mark.id, worldX, worldY);
    for (const cluster of grid.clusters) {
      const [x, y] = toScreen(cluster.x, cluster.y);
      const r = 11 + Math.min(20, 4.5 * Math.log10(cluster.n) ** 1.4);
      if (cluster.n === 1) spots.push(this.#spot(this.#fleet.marks.get(cluster.id)!, x, y, now));
      else spots.push({ id: cluster.id, x, y, r, look: "moving", heading: NaN, alpha: 1, cluster });
    }
    const chosen = seen.find(([mark]) => mark.id === this.selected);
    if (chosen) spots.push(this.#spot(chosen[0], chosen[1], chosen[2], now));
    return spots;
  }
}
