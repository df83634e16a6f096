/** Many vehicles as few circles, by the cells of a grid that lies on the world and not on the screen. */

export interface Cluster {
  x: number;
  y: number;
  n: number;
  /** Of one of them. */
  id: number;
}

/** More than so many in view are shown as clusters. */
export const CLUSTERS_ABOVE = 5_000;
/** Of the view, for each: on a phone fewer than that are a heap already. */
const ROOM_PX = 150;
const CELL_PX = 64;
const TILE_PX = 512;

export const isCrowd = (n: number, width: number, height: number): boolean => n > Math.min(CLUSTERS_ABOVE, (width * height) / ROOM_PX);

/** How wide a cell is at a zoom, on the square of the world: the same for each whole zoom, so that panning changes nothing. */
export const cellAt = (zoom: number): number => CELL_PX / (TILE_PX * 2 ** Math.floor(zoom));

export class Grid {
  #cells = new Map<number, Cluster>();
  #cell: number;
  #perRow: number;

  constructor(zoom: number) {
    this.#cell = cellAt(zoom);
    this.#perRow = Math.ceil(1 / this.#cell) + 2;
  }

  add(id: number, x: number, y: number): void {
    const key = Math.floor(y / this.#cell) * this.#perRow + Math.floor(x / this.#cell);
    const cell = this.#cells.get(key);

    if (!cell) {
      this.#cells.set(key, { x, y, n: 1, id });
      return;
    }
    cell.n += 1;
    cell.x += (x - cell.x) / cell.n;
    cell.y += (y - cell.y) / cell.n;
  }

  get clusters(): Iterable<Cluster> {
    return this.#cells.values();
  }
}
