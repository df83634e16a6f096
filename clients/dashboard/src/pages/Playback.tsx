import { Playback as Player, type PlaybackState } from "@tidegate/client/playback";
import { useClient } from "@tidegate/client/react";
import { useEffect, useMemo, useRef, useState } from "react";
import { spanText } from "../charts/Series";
import { now } from "../data/clock";
import { useNames } from "../data/names";
import { number, t, time } from "../i18n";
import { fit } from "../map/fit";
import { MapFleet, type Fix } from "../map/fleet";
import { Painter } from "../map/painter";
import { useMap } from "../map/useMap";
import { useShown } from "../theme";
import { useTick } from "../ui/useSlow";
import map from "./Map.module.css";
import css from "./Playback.module.css";

const HOUR = 3_600_000;
const SPANS = [HOUR / 4, HOUR, 6 * HOUR, 24 * HOUR, 7 * 24 * HOUR];
const RATES = [1, 5, 10, 30, 100];
/** Where to look is known soon after so many have come, or later from fewer, ms. */
const FIRST = 3;
const SOON_MS = 1_000;
const LATER_MS = 5_000;
/** The end of a new line, ms: whole, since a slider takes nothing that is not a whole number of steps from its beginning. */
const present = (): number => Math.floor(now());

/** The fleet as it was, on a time line; at its end it goes on into what is live. */
export default function Playback() {
  const client = useClient();
  const where = useRef<HTMLDivElement>(null);
  const line = useRef<HTMLDivElement>(null); /* covers the lower part of the map */
  const made = useMap(where);
  const theme = useShown();
  const names = useNames();
  const fleet = useMemo(() => new MapFleet(), []);
  const [span, setSpan] = useState(SPANS[0]!);
  const [rate, setRate] = useState(10);
  const [end, setEnd] = useState(present);
  const player = useRef<Player>();
  const [state, setState] = useState<PlaybackState>({ mode: "waiting", rate });
  const [hint, setHint] = useState<{ id: number; x: number; y: number }>();
  const [painter, setPainter] = useState<Painter>();
  const begin = useRef({ at: end - span / 5, rate }); // not long ago: there is something, also where all has just begun

  useTick(1000);
  useEffect(() => {
    if (!made) return;
    const drawn = new Painter(made, fleet);
    let isFitted = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = (): void => {
      timer = undefined;
      isFitted = fleet.marks.size > 0; // somebody may have gone elsewhere on the line meanwhile
      if (isFitted) fit(made, fleet, 0, line.current?.offsetHeight);
    };
    const played = new Player(client, { to: ["vehicle/*"], types: ["vehicle_log"], ...begin.current }, {
      onEvent: (push) => {
        const { type, vehicle_id: id, data } = push as { type: string; vehicle_id?: number; data: Fix };
        if (type !== "vehicle_log" || !id) return;
        fleet.take(id, data, performance.now());
        drawn.wake();
        if (!isFitted) timer ??= setTimeout(look, fleet.marks.size < FIRST ? LATER_MS : SOON_MS);
      },
      onChange: () => setState({ ...played.state }),
    });
    const point = ({ point: { x, y } }: { point: { x: number; y: number } }): void => {
      const { vehicle } = drawn.hit(x, y);
      setHint(vehicle ? { id: vehicle, x, y } : undefined);
    };

    drawn.hasTrails = true;
    player.current = played;
    setState({ ...played.state });
    setPainter(drawn);
    made.on("mousemove", point);
    return () => {
      clearTimeout(timer);
      made.off("mousemove", point);
      played.close();
      drawn.end();
      fleet.clear();
    };
  }, [made, client, fleet]);
  useEffect(() => {
    if (painter) painter.isDark = theme === "dark";
  }, [painter, theme]);
  const seek = (at: number, pace = rate): void => {
    fleet.clear();
    painter?.wake();
    player.current?.seek(at, pace);
  };
  const isLive = state.mode === "live";
  const at = isLive ? now() : Math.min(state.at ?? begin.current.at, now());

  return (
    <section className={map.page} aria-label={t("playback.title")}>
      <h1 className="unseen">{t("playback.title")}</h1>
      <div className={map.map} ref={where} data-ready={Boolean(painter)} />
      {hint && <span className={map.hint} style={{ left: hint.x, top: hint.y }} aria-hidden="true">{names.of(hint.id)}</span>}
      <div className={css.line} ref={line} role="group" aria-label={t("playback.controls")}>
        <button type="button" className="primary" disabled={isLive || state.mode === "refused"}
          onClick={() => (state.mode === "paused" ? player.current?.play() : player.current?.pause())}>
          {t(state.mode === "paused" ? "playback.play" : "playback.pause")}
        </button>
        <select aria-label={t("playback.rate")} value={rate} onChange={(event) => {
          const pace = Number(event.target.value);
          setRate(pace);
          begin.current.rate = pace; // where the map is not there yet
          if (!isLive && state.mode !== "paused") player.current?.play(pace);
          else if (!isLive) seek(at, pace);
        }}>
          {RATES.map((one) => <option key={one} value={one}>{t("playback.times", { rate: number(one) })}</option>)}
        </select>
        <input type="range" aria-label={t("playback.at")} aria-valuetext={time(at)} min={end - span} max={Math.max(end, Math.floor(at))} step={span / 1000}
          value={at} onChange={(event) => seek(Number(event.target.value))} />
        <output>{isLive ? t("playback.live") : time(at)}</output>
        <select aria-label={t("playback.span")} value={span} onChange={(event) => {
          const chosen = Number(event.target.value);
          setSpan(chosen);
          setEnd(present());
          seek(now() - chosen);
        }}>
          {SPANS.map((ms) => <option key={ms} value={ms}>{spanText(ms)}</option>)}
        </select>
        <button type="button" aria-pressed={isLive} onClick={() => player.current?.live()}>{t("playback.live")}</button>
        <button type="button" disabled={!painter} onClick={() => made && fit(made, fleet, 0, line.current?.offsetHeight)}>{t("map.fit")}</button>
        <p role="status">
          {state.mode === "refused" ? state.error?.message : state.mode === "waiting" ? t("playback.waiting") : t("map.in_view", { n: painter?.inView ?? 0 })}
        </p>
      </div>
    </section>
  );
}
