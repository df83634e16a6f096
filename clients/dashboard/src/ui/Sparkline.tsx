import css from "./Sparkline.module.css";

const WIDTH = 100;
const HEIGHT = 28;
const MARGIN = 2;
const FEW = 15; /* as wide as so many, be there fewer */

/** Its line and what is below it, in a box of 100 by 28; what is no number is a hole. */
export function sparkPath(values: readonly number[], places: number): { line: string; area: string } {
  const good = values.filter(Number.isFinite);
  const top = Math.max(...good, 0) || 1;
  const x = (n: number): string => (((n + places - values.length) / (places - 1)) * WIDTH).toFixed(1);
  const y = (value: number): string => (HEIGHT - MARGIN - (value / top) * (HEIGHT - 2 * MARGIN)).toFixed(1);
  let line = "", area = "", begun = -1;
  const end = (): void => {
    if (begun >= 0) area += `V${HEIGHT}H${x(begun)}Z`;
    begun = -1;
  };

  values.forEach((value, n) => {
    if (!Number.isFinite(value)) return end();
    line += `${begun < 0 ? "M" : "L"}${x(n)},${y(value)}`;
    area += begun < 0 ? `M${x(n)},${HEIGHT}V${y(value)}` : `L${x(n)},${y(value)}`;
    if (begun < 0) begun = n;
  });
  end();
  return { line, area };
}

/** How a number has changed; the number itself stands beside it as text. The newest is at the right. */
export function Sparkline({ values }: { values: readonly number[] }) {
  const { line, area } = sparkPath(values, Math.max(FEW, values.length));

  return (
    <svg className={css.spark} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path className={css.area} d={area} /><path className={css.line} d={line} />
    </svg>
  );
}
