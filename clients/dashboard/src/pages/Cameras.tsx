import { useState } from "react";
import { useAsked } from "../data/api";
import { now } from "../data/clock";
import { pictureOf } from "../data/picture";
import { useRecent, type Placed } from "../data/recent";
import { placeOf } from "../data/stored";
import { ago, number, t, time } from "../i18n";
import { Badge } from "../ui/Badge";
import { flat, shown } from "../ui/Members";
import { useTick } from "../ui/useSlow";
import css from "./Cameras.module.css";

interface Camera {
  id: number;
  camera_id: string;
  source: string;
  is_active: boolean;
  last_active: string | null;
}

interface Seen extends Placed {
  camera_id: string | null;
  event_type: string;
  data: Record<string, unknown> | null;
}

const MOST = 200;

/** What cameras have seen, and see. */
export default function Cameras() {
  const cameras = useAsked<{ cameras: Camera[] }>("api/cameras?limit=1000", 15_000);
  const [camera, setCamera] = useState(0);
  const { items, isBusy, error } = useRecent<Seen>(
    `api/camera-events?limit=${MOST}${camera ? `&device_id=id:${camera}` : ""}`,
    { to: [camera ? `device/id:${camera}` : "cameras"], types: ["camera_event"] }, MOST);

  useTick(1000);
  const list = cameras.value?.cameras ?? [];

  return (
    <section className="page">
      <div className="bar">
        <h1>{t("cameras.title")}</h1>
        <select aria-label={t("cameras.camera")} value={camera} onChange={(event) => setCamera(Number(event.target.value))}>
          <option value={0}>{t("cameras.all")}</option>
          {list.map((one) => <option key={one.id} value={one.id}>{one.camera_id}</option>)}
        </select>
      </div>
      {list.length > 0 && (
        <ul className={css.cameras}>
          {list.map((one) => (
            <li key={one.id} className="panel">
              <strong>{one.camera_id}</strong>
              <Badge tone={one.is_active ? "good" : "quiet"}>{t(one.is_active ? "cameras.active" : "cameras.silent")}</Badge>
              <span>{ago(one.last_active, now())}</span>
            </li>
          ))}
        </ul>
      )}
      {items.length === 0 && <p className="quiet" role="status">{error?.message ?? t(isBusy ? "app.loading" : "cameras.none")}</p>}
      <ol className={css.events} aria-label={t("cameras.events")}>
        {items.map((one) => <li key={placeOf(one)} className="panel"><Shown seen={one} /></li>)}
      </ol>
    </section>
  );
}

const OWN = ["person_name", "confidence"];

function Shown({ seen: { camera_id: camera, event_type: type, timestamp: at, data: said } }: { seen: Seen }) {
  const data = said ?? {};
  const picture = pictureOf(data);
  const [isBroken, setBroken] = useState(false);
  const { person_name: person, confidence } = data as { person_name?: unknown; confidence?: unknown };
  const title = type.replaceAll("_", " ");
  const rest = flat(data).filter(([name, value]) => !OWN.includes(name) && value !== picture && value !== null).slice(0, 4);

  return (
    <>
      {picture && !isBroken
        ? <a href={picture} target="_blank" rel="noreferrer"><img src={picture} alt={t("cameras.picture", { what: title, camera: camera ?? "?" })} loading="lazy" referrerPolicy="no-referrer" onError={() => setBroken(true)} /></a>
        : null}
      {picture && isBroken && <p className={css.lost}><a href={picture} target="_blank" rel="noreferrer">{t("cameras.picture.lost")}</a></p>}
      <div className={css.words}>
        <h2>{typeof person === "string" && person ? person : title}</h2>
        <p>{camera} · <time>{time(at)}</time></p>
        {typeof person === "string" && person && <p>{title}{typeof confidence === "number" && ` · ${number(100 * confidence)} %`}</p>}
        {rest.length > 0 && <p className={css.rest}>{rest.map(([name, value]) => `${name}: ${shown(name, value)}`).join(" · ")}</p>}
      </div>
    </>
  );
}
