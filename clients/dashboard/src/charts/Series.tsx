import { useClient, useSeries } from "@tidegate/client/react";
import { useMemo, useState } from "react";
import { useAsked } from "../data/api";
import { now } from "../data/clock";
import { number, t, time } from "../i18n";
import { Icon } from "../ui/Icon";
import { useTick } from "../ui/useSlow";
import { pointsOf, type Columns } from "./columns";
import { Plot, type Point } from "./Plot";
import css from "./Series.module.css";

export interface Of {
  /** `device` or `vehicle`, by its code. */
  kind: "device" | "vehicle";
  code: string;
  member: string;
  sensor?: number;
}

const MINUTE = 60_000;
const WINDOWS = [5 * MINUTE, 15 * MINUTE, 60 * MINUTE, 6 * 60 * MINUTE, 24 * 60 * MINUTE, 7 * 24 * 60 * MINUTE];
const POINTS = 600;

export const nameOf = (member: string): string => member.replace(/^\//, "").replaceAll("/", " › ").replaceAll("_", " ");

type Range = readonly [from: number, to: number];

/** One number of a thing over time: live, or a part of its history, where drawing over a part shows that part. */
export function Series({ of, close }: { of: Of; close?(): void }) {
  const [window, setWindow] = useState(WINDOWS[1]!);
  const [range, setRange] = useState<Range>();
  const span = range ? range[1] - range[0] : window;
  const pan = (part: number): void => {
    const [from, to] = range ?? [now() - window, now()];
    if (to + part * span >= now()) setRange(undefined);
    else setRange([from + part * span, to + part * span]);
  };
  const zoomOut = (): void => {
    if (!range) return setWindow(WINDOWS[Math.min(WINDOWS.length - 1, WINDOWS.indexOf(window) + 1)]!);
    const to = range[1] + span / 2;
    setRange(to >= now() ? [now() - 2 * span, now()] : [range[0] - span / 2, to]);
  };
  const name = nameOf(of.member);
  const shared = { of, name, zoom: (from: number, to: number) => setRange([from, to]) };

  return (
    <section className={css.series} aria-label={name}>
      <header>
        <h3>{name}</h3>
        <div className={css.tools} role="group" aria-label={t("chart.tools", { name })}>
          <select aria-label={t("chart.window")} value={range ? "" : window} onChange={(event) => {
            setRange(undefined);
            setWindow(Number(event.target.value));
          }}>
            {range && <option value="">{`${time(range[0])} – ${time(range[1])}`}</option>}
            {WINDOWS.map((ms) => <option key={ms} value={ms}>{spanText(ms)}</option>)}
          </select>
          <button type="button" className="icon" onClick={() => pan(-0.5)} aria-label={t("chart.earlier")} title={t("chart.earlier")}>‹</button>
          <button type="button" className="icon" onClick={() => pan(0.5)} disabled={!range} aria-label={t("chart.later")} title={t("chart.later")}>›</button>
          <button type="button" className="icon" onClick={zoomOut} aria-label={t("chart.wider")} title={t("chart.wider")}>−</button>
          <button type="button" aria-pressed={!range} onClick={() => setRange(undefined)}>{t("chart.live")}</button>
          <Export of={of} range={range ?? [now() - window, now()]} />
          {close && <button type="button" className="icon" onClick={close} aria-label={t("chart.close", { name })}><Icon name="close" size={16} /></button>}
        </div>
      </header>
      {range ? <Past {...shared} range={range} /> : <Live {...shared} window={window} />}
    </section>
  );
}

interface Shown {
  of: Of;
  name: string;
  zoom(from: number, to: number): void;
}

function Live({ of, name, window, zoom }: Shown & { window: number }) {
  const { state, points, error } = useSeries(`${of.kind}/${of.code}`, of.member,
    { window, points: POINTS, clock: now, ...(of.sensor !== undefined && { sensor: of.sensor }) });
  const last = points.at(-1);
  useTick(1000);
  const at = now();

  return (
    <>
      <p className={css.value} aria-hidden={!last}>
        <strong>{last ? number(last[1], 3) : "–"}</strong> <small>{last ? time(last[0]) : ""}</small>
        {state === "loading" && <small>{t("app.loading")}</small>}
        {state === "failed" && <small role="status">{(error as Error | undefined)?.message ?? t("chart.failed")}</small>}
        {state === "live" && !last && <small>{t("chart.nothing")}</small>}
      </p>
      <Plot points={points} label={name} from={at - window} to={at} zoom={zoom} />
    </>
  );
}

function Past({ of, name, range: [from, to], zoom }: Shown & { range: Range }) {
  const asked = useAsked<Columns>(pathOf(of, { from: new Date(from).toISOString(), to: new Date(to).toISOString(), points: `${POINTS}` }));
  const points: Point[] = useMemo(() => (asked.value?.columns ?? []).flatMap(pointsOf), [asked.value]);

  return (
    <>
      <p className={css.value}>
        <small role="status">{asked.error?.message ?? (asked.isBusy ? t("app.loading") : points.length ? "" : t("chart.nothing"))}</small>
      </p>
      <Plot points={points} label={name} from={from} to={to} zoom={zoom} />
    </>
  );
}

function pathOf({ kind, code, member, sensor }: Of, query: Record<string, string>, end = ""): string {
  const params = new URLSearchParams({ member, ...query, ...(sensor !== undefined && { sensor_id: `${sensor}` }) });
  return `api/${kind}s/${encodeURIComponent(code)}/${kind === "device" ? "telemetry" : "series"}${end}?${params}`;
}

/** All points of what is shown, as a file. */
function Export({ of, range: [from, to] }: { of: Of; range: Range }) {
  const client = useClient();
  const [told, setTold] = useState("");
  const save = async (): Promise<void> => {
    setTold("");
    try {
      const answer = await client.fetch(pathOf(of, { from: new Date(from).toISOString(), to: new Date(to).toISOString() }, ".csv"));
      if (!answer.ok) return setTold(t("app.error", { status: answer.status, message: "" }));
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await answer.blob());
      link.download = `${of.code}-${of.member.replace(/\W+/g, "-").replace(/^-/, "")}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    } catch {
      setTold(t("app.unreachable"));
    }
  };

  return (
    <>
      <button type="button" className="icon" onClick={save} aria-label={t("chart.export")} title={t("chart.export")}><Icon name="download" size={16} /></button>
      <span role="status" className="quiet">{told}</span>
    </>
  );
}

export function spanText(ms: number): string {
  const minutes = ms / MINUTE;
  return minutes < 60 ? t("chart.minutes", { n: minutes }) : minutes < 1440 ? t("chart.hours", { n: minutes / 60 }) : t("chart.days", { n: minutes / 1440 });
}

