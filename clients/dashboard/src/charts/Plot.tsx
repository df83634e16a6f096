import { useEffect, useRef } from "react";
import UPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { locale, number, time } from "../i18n";
import { useShown } from "../theme";
import { rangeOf } from "./columns";
import css from "./Plot.module.css";

export type Point = readonly [at: number, value: number];

interface Props {
  points: readonly Point[];
  /** In words, for who does not see it. */
  label: string;
  unit?: string | undefined;
  /** What is shown, ms; all that there is unless said. */
  from?: number | undefined;
  to?: number | undefined;
  /** Somebody has drawn over a part of it. */
  zoom?(from: number, to: number): void;
  /** Where it does not begin at the least value. */
  fromZero?: boolean;
}

const HEIGHT_PX = 190;

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function dataOf(points: readonly Point[]): UPlot.AlignedData {
  return [points.map(([at]) => at / 1000), points.map(([, value]) => value)];
}

/** A line over time. */
export function Plot({ points, label, unit = "", from, to, zoom, fromZero }: Props) {
  const where = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot>();
  const given = useRef({ points, from, to, zoom });
  const theme = useShown();

  given.current = { points, from, to, zoom };
  useEffect(() => {
    const element = where.current!;
    const axis: UPlot.Axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 }, font: "12px system-ui, sans-serif" };
    const made = new UPlot({
      width: element.clientWidth || 300,
      height: HEIGHT_PX,
      legend: { show: false },
      cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
      scales: {
        x: { time: true, range: (_, min, max) => [(given.current.from ?? min * 1000) / 1000, (given.current.to ?? max * 1000) / 1000] },
        y: { range: (_, min, max) => rangeOf(min, max, fromZero) },
      },
      axes: [{ ...axis, values: times, space: 80, size: 34 }, { ...axis, size: 58, values: (_, ticks) => ticks.map((tick) => number(tick, 3)) }],
      series: [{}, { stroke: colour("accent"), width: 1.75, fill: `${colour("accent")}22`, points: { show: false }, spanGaps: true }],
      hooks: {
        setSelect: [(chart) => {
          const { left, width } = chart.select;
          if (width < 6) return;
          given.current.zoom?.(1000 * chart.posToVal(left, "x"), 1000 * chart.posToVal(left + width, "x"));
          chart.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        }],
        setCursor: [(chart) => {
          const at = chart.cursor.idx;
          const [x, y] = [chart.data[0][at ?? -1], chart.data[1]?.[at ?? -1]];
          const tip = element.querySelector("output")!;
          tip.textContent = x === undefined || y == null ? "" : `${time(x * 1000)}  ${number(y, 3)} ${unit}`;
        }],
      },
    }, dataOf(given.current.points), element);
    const sized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT_PX }));

    plot.current = made;
    sized.observe(element);
    return () => {
      sized.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [theme, unit, fromZero]);
  useEffect(() => plot.current?.setData(dataOf(points)), [points, from, to, theme, unit, fromZero]);
  return (
    <div className={css.plot} role="img" aria-label={summary(label, points, unit)}>
      <div ref={where}><output aria-hidden="true" /></div>
    </div>
  );
}

function times(_: UPlot, ticks: number[], __: number, ___: number, step: number): string[] {
  const short: Intl.DateTimeFormatOptions = step >= 86_400 ? { month: "short", day: "numeric" }
    : step >= 60 ? { hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const format = new Intl.DateTimeFormat(locale, short);

  return ticks.map((tick) => format.format(tick * 1000));
}

function summary(label: string, points: readonly Point[], unit: string): string {
  const last = points.at(-1);

  if (!last) return label;
  const values = points.map(([, value]) => value);
  const [least, greatest] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  return `${label}: ${number(last[1], 3)} ${unit} (${number(least, 3)} – ${number(greatest, 3)})`;
}
