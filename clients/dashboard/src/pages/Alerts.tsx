import type { Alert } from "@tidegate/client";
import { useClient, useDevice } from "@tidegate/client/react";
import { memo, useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { AlertView, idOf, type Shown } from "../alerts/book";
import { now } from "../data/clock";
import { useNames } from "../data/names";
import { heardPush, isUnstored, useUnstored } from "../data/stored";
import { ago, number, t, time } from "../i18n";
import { to } from "../router";
import { useUser } from "../shell/context";
import { Badge, type Tone } from "../ui/Badge";
import { placed } from "../ui/errors";
import { flat, shown } from "../ui/Members";
import { useTick } from "../ui/useSlow";
import css from "./Alerts.module.css";

const SEVERITIES = ["critical", "warning", "info"] as const;
const TONES: Record<Alert["severity"], Tone> = { critical: "bad", warning: "warn", info: "info" };
const OWN = ["severity", "alert_type", "message", "timestamp"];
const TICK_MS = 5000;

/** What went wrong: first what nobody has acknowledged, each the newest first. */
export default function Alerts() {
  const client = useClient();
  const user = useUser();
  const [severity, setSeverity] = useState("");
  const view = useMemo(() => new AlertView(client, severity), [client, severity]);
  const { open, done, hasOlder, isBusy, error } = useSyncExternalStore(view.subscribe, view.read);
  const [told, setTold] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);
  const mayAcknowledge = user?.role === "admin" || user?.role === "user";

  useTick(TICK_MS);
  useEffect(() => open.forEach((alert) => heardPush(alert)), [open]);
  const acknowledge = useCallback(async (alert: Shown): Promise<void> => {
    await view.acknowledge(alert);
    setTold(t("alerts.acknowledged.told", { what: titleOf(alert) }));
    heading.current?.focus(); /* the button is gone */
  }, [view]);
  const line = (alert: Shown) => (
    <li key={idOf(alert)} className="panel" data-severity={alert.severity} data-done={alert.acknowledged}>
      <Line alert={alert} when={ago(alert.timestamp, now())} acknowledge={mayAcknowledge && !alert.acknowledged ? acknowledge : undefined} />
    </li>
  );

  return (
    <section className="page">
      <div className="bar">
        <h1>{t("alerts.title")}</h1>
        <select aria-label={t("alerts.severity")} value={severity} onChange={(event) => setSeverity(event.target.value)}>
          <option value="">{t("alerts.all")}</option>
          {SEVERITIES.map((one) => <option key={one} value={one}>{t(`alerts.${one}`)}</option>)}
        </select>
      </div>
      <p className="unseen" role="status">{told}</p>
      {error && <p role="alert" className="quiet">{error}</p>}
      {isBusy ? <p className="quiet" role="status">{t("app.loading")}</p> : (
        <>
          <h2 ref={heading} tabIndex={-1} className={css.part}>{t("alerts.open")} {(open.length > 0 || !error) && <span>{number(open.length)}{hasOlder.open && "+"}</span>}</h2>
          {open.length === 0 && !error && <p className={css.none}>{t(done.length ? "alerts.open.none" : "alerts.none")}</p>}
          <ol className={css.list} aria-label={t("alerts.open")}>{open.map(line)}</ol>
          {hasOlder.open && <button type="button" onClick={() => void view.older("open")}>{t("alerts.open.older")}</button>}
          {done.length > 0 && <h2 className={css.part}>{t("alerts.done")}</h2>}
          <ol className={css.list} aria-label={t("alerts.done")}>{done.map(line)}</ol>
          {hasOlder.done && <button type="button" onClick={() => void view.older("done")}>{t("alerts.older")}</button>}
        </>
      )}
    </section>
  );
}

const titleOf = ({ message, alert_type: type, severity }: Shown): string => message || type || t(`alerts.${severity}`);

interface LineProps {
  alert: Shown;
  when: string;
  acknowledge: ((alert: Shown) => Promise<void>) | undefined;
}

const Line = memo(function Line({ alert, when, acknowledge }: LineProps) {
  const { severity, alert_type: type, message, data, timestamp, vehicle_id: vehicle, device_id: device } = alert;
  const names = useNames();

  useUnstored(); /* drawn anew when it is stored */
  const isNew = isUnstored(alert);
  const more = flat(data ?? {}).filter(([name, value]) => !OWN.includes(name) && value !== null && typeof value !== "object").slice(0, 6);

  return (
    <>
      <Badge tone={TONES[severity]}>{t(`alerts.${severity}`)}</Badge>
      <div className={css.words}>
        <h3>{titleOf(alert)}</h3>
        <p>
          {vehicle ? <a href={to("map", vehicle)}>{names.of(vehicle)}</a> : device ? <DeviceLink id={device} /> : null}
          {message && type && <span>{type}</span>}
          {isNew && <strong>{t("vehicle.unstored")}</strong>}
        </p>
        {more.length > 0 && <p className={css.more}>{more.map(([name, value]) => `${name.replaceAll("_", " ")}: ${shown(name, value)}`).join(" · ")}</p>}
        {alert.acknowledged && <p className={css.who}>{t("alerts.acknowledged", { who: alert.acknowledged_by ?? "?", time: time(alert.acknowledged_at) })}</p>}
      </div>
      <div className={css.side}>
        <time title={time(timestamp)}>{when}</time>
        {acknowledge && !isNew && <Acknowledge alert={alert} act={acknowledge} />}
      </div>
    </>
  );
});

/** By its name, once that is known. */
function DeviceLink({ id }: { id: number }) {
  const device = useDevice(id)?.update?.device;

  return <a href={to("devices", id)}>{device?.name || device?.device_code || t("alerts.device", { id: `${id}` })}</a>;
}

function Acknowledge({ alert, act }: { alert: Shown; act(alert: Shown): Promise<void> }) {
  const [isBusy, setBusy] = useState(false);
  const [wrong, setWrong] = useState("");

  const run = async (): Promise<void> => {
    setBusy(true);
    setWrong("");
    try {
      await act(alert);
    } catch (error) {
      setWrong(placed(error as Error, []).message);
      setBusy(false);
    }
  };
  return (
    <>
      <button type="button" disabled={isBusy} aria-label={t("alerts.acknowledge.this", { what: titleOf(alert) })} onClick={() => void run()}>{t("alerts.acknowledge")}</button>
      <p role="alert" className={css.wrong}>{wrong}</p>
    </>
  );
}
