/** What the gateway says of a chart (docs/protocol.md, "Charts"), and which numbers a message has. */

export interface Columns {
  columns: number[][];
}

/** Of a column the first, the least, the greatest and the last point, each once, in the order of time. */
export function pointsOf([t1, first, t2, least, t3, greatest, t4, last]: number[]): [number, number][] {
  const all: [number, number][] = [[t1!, first!], [t2!, least!], [t3!, greatest!], [t4!, last!]];

  return all.map((point, n) => [point, n] as const)
    .sort(([a, m], [b, n]) => a[0] - b[0] || m - n)
    .map(([point]) => point)
    .filter(([at, value], i, sorted) => i === 0 || at !== sorted[i - 1]![0] || value !== sorted[i - 1]![1]);
}

const DEEPEST = 4;
const MOST = 200;

const escaped = (name: string): string => name.replaceAll("~", "~0").replaceAll("/", "~1");

/** The members that can be drawn: a name, or, of what lies deeper, a JSON pointer. */
export function numbersOf(data: unknown): string[] {
  const found: string[] = [];
  const look = (value: unknown, path: string[]): void => {
    if (found.length >= MOST || path.length > DEEPEST) return;
    if ((typeof value === "number" && Number.isFinite(value)) || typeof value === "boolean") {
      if (path.length === 1 && !path[0]!.startsWith("/")) found.push(path[0]!);
      else if (path.length) found.push(path.map((name) => `/${escaped(name)}`).join(""));
    } else if (value !== null && typeof value === "object") {
      for (const [name, inner] of Object.entries(value)) look(inner, [...path, name]);
    }
  };

  look(data, []);
  return found;
}

/** A flat line is in the middle, and nothing touches the edge. */
export function rangeOf(min: number | null, max: number | null, fromZero = false): [number, number] {
  if (min == null || max == null) return [0, 1];
  const [low, high] = fromZero ? [Math.min(0, min), Math.max(0, max)] : [min, max];
  const room = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1;

  return [fromZero && low === 0 ? 0 : low - room, high + room];
}
