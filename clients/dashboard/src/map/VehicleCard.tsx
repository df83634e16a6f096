import { useClient, useVehicle } from "@tidegate/client/react";
import { useEffect, useState } from "react";
import { numbersOf } from "../charts/columns";
import { Series } from "../charts/Series";
import { CommandForm } from "../commands/CommandForm";
import { now } from "../data/clock";
import { useNames } from "../data/names";
import { isUnstored, useUnstored } from "../data/stored";
import { ago, number, t, time } from "../i18n";
import { Icon } from "../ui/Icon";
import { Members } from "../ui/Members";
import { Tabs } from "../ui/Tabs";
import { RawLog } from "./RawLog";
import { readTrack, SPEED_COLOURS, type Coloured } from "./track";
import css from "./VehicleCard.module.css";

interface Props {
  id: number;
  isFollowing: boolean;
  setFollowing(is: boolean): void;
  show(lon: number, lat: number): void;
  /** It is not known where it is: it is shown when that is. */
  isSought: boolean;
  found(): void;
  showTrack(track: Coloured | undefined): void;
  close(): void;
}

/** One vehicle, beside the map. */
export function VehicleCard({ id, isFollowing, setFollowing, show, isSought, found, showTrack, close }: Props) {
  const vehicle = useVehicle(id);
  const names = useNames();
  const log = vehicle?.log;
  const { latitude, longitude } = (log?.data ?? {}) as { latitude?: number; longitude?: number };
  const isPlaced = typeof latitude === "number" && typeof longitude === "number";
  const code = names.read().get(id)?.code;

  useUnstored(); /* drawn anew when it is stored */
  useEffect(() => {
    if (!isSought || !isPlaced) return;
    show(longitude, latitude);
    found();
  // eslint-disable-next-line react-hooks/exhaustive-deps -- once, when it is known
  }, [isSought, isPlaced]);
  return (
    <aside className={css.card} aria-label={names.of(id)}>
      <header>
        <div>
          <h2>{names.of(id)}</h2>
          <p>
            {code && code !== names.of(id) && <>{code} · </>}
            {log ? ago(log.timestamp, now()) : t("vehicle.nothing")}
            {log && isUnstored(log) && <span className={css.unstored}>{t("vehicle.unstored")}</span>}
          </p>
        </div>
        <button type="button" className="icon" onClick={close} aria-label={t("vehicle.close")}><Icon name="close" /></button>
      </header>
      <div className={css.tools}>
        <button type="button" disabled={!isPlaced} onClick={() => show(longitude!, latitude!)}>{t("vehicle.show")}</button>
        <button type="button" disabled={!isPlaced} aria-pressed={isFollowing} onClick={() => setFollowing(!isFollowing)}>
          <Icon name="follow" size={16} />{t("vehicle.follow")}
        </button>
        <TrackChoice id={id} showTrack={showTrack} />
      </div>
      {log && !isPlaced && <p role="status" className={css.told}>{t("vehicle.nowhere")}</p>}
      <Tabs tabs={[
        { key: "state", title: t("vehicle.state"), content: () => <State id={id} /> },
        { key: "charts", title: t("vehicle.charts"), content: () => <Charts code={code} data={log?.data} /> },
        { key: "log", title: t("vehicle.log"), content: () => <RawLog id={id} /> },
        { key: "command", title: t("command.title"), content: () => <VehicleCommand code={code ?? ""} /> },
      ]} />
    </aside>
  );
}

function State({ id }: { id: number }) {
  const vehicle = useVehicle(id);

  if (!vehicle?.log && !vehicle?.sensors.size) return <p className="quiet">{t("vehicle.nothing")}</p>;
  return (
    <>
      {vehicle.log && <Members data={vehicle.log.data} />}
      {[...vehicle.sensors.values()].map((sensor) => (
        <section key={sensor.sensor_id} className={css.sensor}>
          <h3>{t("vehicle.sensor", { id: `${sensor.sensor_id}` })} <small>{time(sensor.timestamp)}</small></h3>
          <Members data={sensor.data} />
        </section>
      ))}
    </>
  );
}

const NO_CHARTS = ["latitude", "longitude"];
const MOST_CHARTS = 6;

function Charts({ code, data }: { code: string | undefined; data: unknown }) {
  const members = numbersOf(data).filter((member) => !NO_CHARTS.includes(member)).slice(0, MOST_CHARTS);

  if (!code || !members.length) return <p className="quiet">{t("devices.no_numbers")}</p>;
  return <div className={css.charts}>{members.map((member) => <Series key={member} of={{ kind: "vehicle", code, member }} />)}</div>;
}

/** Commands go to devices: to the one on board, which often has the name of the vehicle. */
function VehicleCommand({ code }: { code: string }) {
  const [device, setDevice] = useState(code);

  return (
    <>
      <label className={css.device}>{t("command.device")}<input value={device} onChange={(event) => setDevice(event.target.value)} /></label>
      <CommandForm key={device} device={device} />
    </>
  );
}

const HOURS = [0, 1, 6, 24] as const;

function TrackChoice({ id, showTrack }: { id: number; showTrack(track: Coloured | undefined): void }) {
  const client = useClient();
  const [hours, setHours] = useState<number>(0);
  const [told, setTold] = useState("");
  const [fastest, setFastest] = useState(0);

  useEffect(() => {
    const ended = new AbortController();

    setFastest(0);
    setTold("");
    if (!hours) return;
    readTrack(client, id, new Date(now() - hours * 3_600_000), ended.signal).then((track) => {
      showTrack(track);
      setFastest(track.fastest);
      setTold(track.points ? "" : t("vehicle.no_track"));
    }, (error: Error) => ended.signal.aborted || setTold(error.message));
    return () => {
      ended.abort();
      showTrack(undefined);
    };
  // eslint-disable-next-line react-hooks/exhaustive-deps -- what shows it is the map's
  }, [client, id, hours]);
  return (
    <>
      <label className={css.track}>
        <span className="unseen">{t("vehicle.track")}</span>
        <select value={hours} onChange={(event) => setHours(Number(event.target.value))}>
          {HOURS.map((n) => <option key={n} value={n}>{n ? t("vehicle.track.hours", { n }) : t("vehicle.track.none")}</option>)}
        </select>
      </label>
      {told && <p role="status" className={css.told}>{told}</p>}
      {fastest > 0 && (
        <p className={css.legend}>
          <span aria-hidden="true">{SPEED_COLOURS.map((colour) => <i key={colour} style={{ background: colour }} />)}</span>
          {t("vehicle.track.legend", { fastest: number(fastest, 1) })}
        </p>
      )}
    </>
  );
}
