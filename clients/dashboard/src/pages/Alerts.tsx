import type { Alert } from "@tidegate/client";
import { useClient, useEvents } from "@tidegate/client/react";
import { useEffect, useMemo, useState } from "react";
import { ask, useAsked, type Listing } from "../data/api";
import { now } from "../data/clock";
import { useNames } from "../data/names";
import { heardPush } from "../data/stored";
import { ago, t, time } from "../i18n";
import { to } from "../router";
import { Badge, type Tone } from "../ui/Badge";
import { flat, shown } from "../ui/Members";
import { useTick } from "../ui/useSlow";
import css from "./Alerts.module.css";

const SEVERITIES = ["critical", "warning", "info"] as const;
const TONES: Record<Alert["severity"], Tone> = { critical: "bad", warning: "warn", info: "info" };
const OWN = ["severity", "alert_type", "message", "timestamp"];
const LIVE = 500;
const PAGE = 100;

type Shown = Pick<Alert, "cursor" | "severity" | "alert_type" | "message" | "data" | "timestamp" | "persisted"> & { vehicle_id?: number | null; device_id?: number | null };

/** What went wrong, the newest first. */
export default function Alerts() {
  const client = useClient();
  const [severity, setSeverity] = useState("");
  const { events } = useEvents({ to: ["alerts"], types: ["alert"] }, LIVE);
  const path = `api/alerts?limit=${PAGE}${severity && `&severity=${severity}`}`;
  const stored = useAsked<Listing<Shown>>(path);
  const [older, setOlder] = useState<{ path: string; items: Shown[]; cursor: string | null }>();
  const [failed, setFailed] = useState("");
  const newest = events.at(-1);
  const more = older?.path === path ? older : undefined;
  const cursor = more ? more.cursor : stored.value?.cursor ?? null;

  useTick(1000);
  useEffect(() => heardPush(newest as never ?? {}), [newest]);
  const alerts = useMemo(() => {
    const all = new Map<string, Shown>();
    for (const one of [...(events as unknown as Shown[])].reverse()) if (!severity || one.severity === severity) all.set(one.cursor, one);
    for (const one of [...(stored.value?.items ?? []), ...(more?.items ?? [])]) all.set(one.cursor, one);
    return [...all.values()];
  }, [events, stored.value, more, severity]);
  const readOn = async (): Promise<void> => {
    setFailed("");
    try {
      const page = await ask<Listing<Shown>>(client, `${path}&cursor=${encodeURIComponent(cursor!)}`);
      setOlder({ path, items: [...(more?.items ?? []), ...page.items], cursor: page.cursor });
    } catch (error) {
      setFailed((error as Error).message);
    }
  };

  return (
    <section className="page">
      <div className="bar">
        <h1>{t("alerts.title")}</h1>
        <select aria-label={t("alerts.severity")} value={severity} onChange={(event) => setSeverity(event.target.value)}>
          <option value="">{t("alerts.all")}</option>
          {SEVERITIES.map((one) => <option key={one} value={one}>{t(`alerts.${one}`)}</option>)}
        </select>
      </div>
      {alerts.length === 0 && <p className="quiet" role="status">{stored.error?.message ?? t(stored.isBusy ? "app.loading" : "alerts.none")}</p>}
      <ol className={css.list} aria-label={t("alerts.title")}>
        {alerts.map((one) => <li key={one.cursor} className="panel" data-severity={one.severity}><Line alert={one} /></li>)}
      </ol>
      {failed && <p role="alert" className="quiet">{failed}</p>}
      {cursor && <button type="button" onClick={readOn}>{t("alerts.older")}</button>}
    </section>
  );
}

function Line({ alert: { severity, alert_type: type, message, data, timestamp, persisted, vehicle_id: vehicle, device_id: device } }: { alert: Shown }) {
  const names = useNames();
  const more = flat(data ?? {}).filter(([name, value]) => !OWN.includes(name) && value !== null && typeof value !== "object").slice(0, 6);

  return (
    <>
      <Badge tone={TONES[severity]}>{t(`alerts.${severity}`)}</Badge>
      <div className={css.words}>
        <h2>{message || type || t(`alerts.${severity}`)}</h2>
        <p>
          {vehicle ? <a href={to("map", vehicle)}>{names.of(vehicle)}</a> : device ? <a href={to("devices", device)}>{t("alerts.device", { id: `${device}` })}</a> : null}
          {message && type && <span>{type}</span>}
          {persisted === false && <strong>{t("vehicle.unstored")}</strong>}
        </p>
        {more.length > 0 && <p className={css.more}>{more.map(([name, value]) => `${name.replaceAll("_", " ")}: ${shown(name, value)}`).join(" · ")}</p>}
      </div>
      <time title={time(timestamp)}>{ago(timestamp, now())}</time>
    </>
  );
}
