import type { DetectionStatistics, StatsUpdate } from "@tidegate/client";
import { useClient, useEvents } from "@tidegate/client/react";
import { useEffect, useState } from "react";
import { useAsked } from "../data/api";
import { now } from "../data/clock";
import { ago, locale, number, t, time } from "../i18n";
import { Badge } from "../ui/Badge";
import { Bars } from "../ui/Bars";
import { useTick } from "../ui/useSlow";
import css from "./People.module.css";

interface Histogram {
  buckets: { period_start: string; by_zone: Record<Zone, number>; total: number }[];
}

interface Scanner {
  id: number;
  device_id: string;
  name: string;
  location: string | null;
  is_active: boolean;
  last_seen: string | null;
}

type Zone = "near" | "medium" | "far";
interface Counts {
  unique_devices: number;
  estimated_people: number;
}

const ZONES: readonly Zone[] = ["near", "medium", "far"];
const COLOURS: Record<Zone, string> = { near: "var(--accent)", medium: "color-mix(in srgb, var(--accent) 60%, var(--panel))", far: "color-mix(in srgb, var(--accent) 30%, var(--panel))" };
const RANGES = ["hour", "today", "week"] as const;
const HISTOGRAM_MS = 60_000;

/** How many people there are about, by the devices that they carry. */
export default function People() {
  const client = useClient();
  const { events, ready } = useEvents({ to: ["stats"], types: ["stats_update"] }, 10);
  const { value: asked, error, again } = useAsked<DetectionStatistics>("api/v1/statistics/realtime");
  const live = (events as StatsUpdate[]).filter(({ type }) => type === "stats_update").at(-1)?.data; // those of cameras come, too
  const stats = live && !(asked && Date.parse(asked.timestamp) > Date.parse(live.timestamp)) ? live : asked;
  const zones = (stats?.by_zone ?? {}) as Partial<Record<Zone, Counts>>;
  const [range, setRange] = useState<(typeof RANGES)[number]>("hour");
  const histogram = useAsked<Histogram>(`api/v1/statistics/histogram?range=${range}`, HISTOGRAM_MS);

  // What changed before the first of them could come, and while it was cut off.
  // eslint-disable-next-line react-hooks/exhaustive-deps -- once for each
  useEffect(() => void (ready && again()), [ready]);
  useEffect(() => client.onConnection(({ state }) => state !== "connecting" && again()));
  return (
    <section className="page">
      <div className="bar">
        <h1>{t("people.title")}</h1>
        {stats && <span className="quiet">{t("people.window", { n: stats.time_window_minutes })} · {time(stats.timestamp)}</span>}
      </div>
      {!stats && error && <p className="quiet" role="status">{error.message}</p>}
      <div className={css.tiles}>
        <Tile title={t("people.now")} value={stats?.total.estimated_people} more={stats && t("people.devices", { n: stats.total.unique_devices })} isFirst />
        {ZONES.map((zone) => (
          <Tile key={zone} title={t(`people.${zone}`)} value={zones[zone]?.estimated_people ?? (stats && 0)} more={stats && t("people.devices", { n: zones[zone]?.unique_devices ?? 0 })} />
        ))}
      </div>
      <div className="panel">
        <div className="bar">
          <h2>{t("people.over_time")}</h2>
          <div className={css.ranges} role="group" aria-label={t("people.range")}>
            {RANGES.map((one) => <button key={one} type="button" aria-pressed={one === range} onClick={() => setRange(one)}>{t(`people.range.${one}`)}</button>)}
          </div>
        </div>
        {histogram.value?.buckets.length
          ? <Bars label={t("people.over_time")} bars={histogram.value.buckets.map(({ period_start: start, by_zone: by }) => (
            { key: start, label: labelOf(start, range), parts: ZONES.map((zone) => ({ name: t(`people.${zone}`), value: by[zone], colour: COLOURS[zone] })) }))} />
          : <p className="quiet" role="status">{histogram.error?.message ?? t(histogram.isBusy ? "app.loading" : "chart.nothing")}</p>}
      </div>
      <Scanners />
    </section>
  );
}

function labelOf(start: string, range: string): string {
  return new Date(start).toLocaleString(locale, range === "week" ? { weekday: "short", hour: "2-digit" } : { hour: "2-digit", minute: "2-digit" });
}

function Tile({ title, value, more, isFirst }: { title: string; value: number | undefined; more: string | undefined; isFirst?: boolean }) {
  return (
    <div className={css.tile} data-first={isFirst}>
      <h2>{title}</h2>
      <strong>{value === undefined ? "–" : number(value)}</strong>
      {more && <span>{more}</span>}
    </div>
  );
}

function Scanners() {
  const { value } = useAsked<Scanner[]>("api/v1/devices", 15_000);

  useTick(1000);
  if (!value?.length) return null;
  return (
    <div className="panel">
      <h2>{t("people.scanners")}</h2>
      <ul className={css.scanners}>
        {value.map((one) => (
          <li key={one.id}>
            <strong>{one.name}</strong><span>{one.location}</span>
            <Badge tone={one.is_active ? "good" : "quiet"}>{ago(one.last_seen, now())}</Badge>
          </li>
        ))}
      </ul>
    </div>
  );
}
