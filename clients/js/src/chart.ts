/** The points of a chart, by columns: as many are kept as it has pixels, however many come. */

/** Time (ms since 1970) and value of the first, the least, the greatest and the last point, and how many there are. */
export type Column = readonly [
  firstAt: number, first: number, leastAt: number, least: number, greatestAt: number, greatest: number, lastAt: number, last: number,
  n: number,
];

export type Point = readonly [at: number, value: number];

/** As the gateway takes it: a number as it is, true and false as 1 and 0, all else is no point. */
export function valueOf(data: unknown, member: string): number | undefined {
  const names = member.startsWith("/") ? member.slice(1).split("/").map((name) => name.replace(/~1/g, "/").replace(/~0/g, "~")) : [member];
  let value = data;

  for (const name of names)
    value = Array.isArray(value) && !/^(0|[1-9]\d*)$/.test(name) ? undefined
      : typeof value === "object" && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
  if (typeof value === "boolean") return Number(value);
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** Two columns as one: the points of `b` came after those of `a`. */
function joined(a: Column, b: Column): Column {
  const first = b[0] < a[0] ? b : a;
  const least = b[3] < a[3] || (b[3] === a[3] && b[2] < a[2]) ? b : a;
  const greatest = b[5] > a[5] || (b[5] === a[5] && b[4] < a[4]) ? b : a;
  const last = b[6] >= a[6] ? b : a;
  return [first[0], first[1], least[2], least[3], greatest[4], greatest[5], last[6], last[7], a[8] + b[8]];
}

function pointsOf([t1, first, t2, least, t3, greatest, t4, last]: Column): Point[] {
  const inside: Point[] = [[t1, first], [t2, least], [t3, greatest], [t4, last]];
  const middle = inside.slice(1, 3).sort((a, b) => a[0] - b[0]);
  const all = [inside[0]!, ...middle, inside[3]!];
  return all.filter((point, i) => i === 0 || point[0] !== all[i - 1]![0] || point[1] !== all[i - 1]![1]);
}

interface Cell {
  readonly at: number;
  column: Column;
  points: Point[] | undefined;
}

/** Columns of one width that begin where history does, and go on as far as points come. */
export class Chart {
  #cells: Cell[] = [];
  #origin: number;
  #width: number;
  #span: number;

  constructor(origin: number, width: number, span: number) {
    this.#origin = origin;
    this.#width = width;
    this.#span = span;
  }

  add(column: Column): void {
    const at = Math.floor((column[0] - this.#origin) / this.#width);
    const newest = this.#cells.at(-1);
    let i = this.#cells.length;

    if (newest && (newest.at - at) * this.#width > this.#span) return;
    while (i > 0 && this.#cells[i - 1]!.at > at) i -= 1;
    const cell = this.#cells[i - 1];
    if (cell?.at === at) {
      cell.column = joined(cell.column, column);
      cell.points = undefined;
    } else {
      this.#cells.splice(i, 0, { at, column, points: undefined });
      this.#trim();
    }
  }

  #trim(): void {
    const oldest = this.#cells.at(-1)!.at - this.#span / this.#width;
    let n = 0;

    while (this.#cells[n]!.at < oldest) n += 1;
    if (n > 0) this.#cells.splice(0, n);
  }

  get columns(): Column[] {
    return this.#cells.map(({ column }) => column);
  }

  get points(): Point[] {
    return this.#cells.flatMap((cell) => (cell.points ??= pointsOf(cell.column)));
  }
}
