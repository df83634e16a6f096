import type { CameraEvent } from "@tidegate/client";
import { useEvents } from "@tidegate/client/react";
import { useEffect, useMemo, useState } from "react";
import { useAsked } from "../data/api";
import { now } from "../data/clock";
import { pictureOf } from "../data/picture";
import { heardPush } from "../data/stored";
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

interface Face {
  id: number;
  camera_id: string;
  person_name: string;
  confidence: number;
  detected_at: string;
}

interface Seen {
  key: string;
  camera: string;
  type: string;
  at: string | null;
  data: Record<string, unknown>;
}

const LIVE = 300;

/** What cameras have seen: what comes, and the faces of before. */
export default function Cameras() {
  const { events } = useEvents({ to: ["cameras"], types: ["camera_event"] }, LIVE);
  const cameras = useAsked<{ cameras: Camera[] }>("api/cameras?limit=1000", 15_000);
  const faces = useAsked<{ detections: Face[] }>("api/history/detections?limit=100");
  const [camera, setCamera] = useState("");
  const [began] = useState(now);
  const newest = events.at(-1);

  useTick(1000);
  useEffect(() => heardPush(newest as never ?? {}), [newest]);
  const seen = useMemo((): Seen[] => {
    const live = (events as unknown as CameraEvent[]).map((event) => (
      { key: event.cursor, camera: event.camera_id ?? "", type: event.event_type, at: event.timestamp, data: event.data ?? {} }));
    const first = Math.min(...live.map(({ at }) => Date.parse(at ?? "") || Infinity), began);
    const before = (faces.value?.detections ?? []).filter(({ detected_at: at }) => Date.parse(at) < first).map((face) => (
      { key: `face ${face.id}`, camera: face.camera_id, type: "face_detected", at: face.detected_at, data: { person_name: face.person_name, confidence: face.confidence } }));
    return [...live.reverse(), ...before].filter((one) => !camera || one.camera === camera);
  }, [events, faces.value, camera, began]);
  const list = cameras.value?.cameras ?? [];

  return (
    <section className="page">
      <div className="bar">
        <h1>{t("cameras.title")}</h1>
        <select aria-label={t("cameras.camera")} value={camera} onChange={(event) => setCamera(event.target.value)}>
          <option value="">{t("cameras.all")}</option>
          {list.map((one) => <option key={one.id} value={one.camera_id}>{one.camera_id}</option>)}
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
      {seen.length === 0 && <p className="quiet" role="status">{cameras.error?.message ?? t(faces.isBusy ? "app.loading" : "cameras.none")}</p>}
      <ol className={css.events} aria-label={t("cameras.events")}>
        {seen.slice(0, 200).map((one) => <li key={one.key} className="panel"><Shown seen={one} /></li>)}
      </ol>
    </section>
  );
}

const OWN = ["person_name", "confidence"];

function Shown({ seen: { camera, type, at, data } }: { seen: Seen }) {
  const picture = pictureOf(data);
  const [isBroken, setBroken] = useState(false);
  const { person_name: person, confidence } = data as { person_name?: unknown; confidence?: unknown };
  const title = type.replaceAll("_", " ");
  const rest = flat(data).filter(([name, value]) => !OWN.includes(name) && value !== picture && value !== null).slice(0, 4);

  return (
    <>
      {picture && !isBroken
        ? <a href={picture} target="_blank" rel="noreferrer"><img src={picture} alt={t("cameras.picture", { what: title, camera })} loading="lazy" referrerPolicy="no-referrer" onError={() => setBroken(true)} /></a>
        : null}
      <div className={css.words}>
        <h2>{typeof person === "string" && person ? person : title}</h2>
        <p>{camera} · <time>{time(at)}</time></p>
        {typeof person === "string" && person && <p>{title}{typeof confidence === "number" && ` · ${number(100 * confidence)} %`}</p>}
        {rest.length > 0 && <p className={css.rest}>{rest.map(([name, value]) => `${name}: ${shown(name, value)}`).join(" · ")}</p>}
      </div>
    </>
  );
}
