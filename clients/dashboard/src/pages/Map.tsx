import { useClient } from "@tidegate/client/react";
import type { GeoJSONSource } from "maplibre-gl";
import { useEffect, useMemo, useRef, useState } from "react";
import { useNames } from "../data/names";
import { t } from "../i18n";
import { fit } from "../map/fit";
import { MapFleet } from "../map/fleet";
import { followView, type Following } from "../map/follow";
import { latOf, lonOf } from "../map/mercator";
import { Painter } from "../map/painter";
import type { Coloured } from "../map/track";
import { useMap } from "../map/useMap";
import { VehicleCard } from "../map/VehicleCard";
import { VehicleList } from "../map/VehicleList";
import { go, to, usePlace } from "../router";
import { useShown } from "../theme";
import { Icon } from "../ui/Icon";
import { usePhone } from "../ui/usePhone";
import css from "./Map.module.css";

const EMPTY: Coloured["lines"] = { type: "FeatureCollection", features: [] };
const LIST_PX = 290;
const NEAR_ZOOM = 9;
/** Of the map, by the card of a vehicle on a phone. */
const CARD_PART = 0.6;

export default function MapPage() {
  const client = useClient();
  const { rest } = usePlace();
  const selected = rest[0] ? Number(rest[0]) : undefined;
  const where = useRef<HTMLDivElement>(null);
  const map = useMap(where);
  const theme = useShown();
  const names = useNames();
  const fleet = useMemo(() => new MapFleet(), []);
  const [painter, setPainter] = useState<Painter>();
  const [hasTrails, setTrails] = useState(true);
  const [isFollowing, setFollowing] = useState(false);
  const [isFitted, setFitted] = useState(false);
  const [sought, seek] = useState(selected); // the map goes where it is, once that is known
  const isPhone = usePhone();
  const [wantsList, setList] = useState<boolean>();
  const hasList = wantsList ?? !isPhone;
  const [hint, setHint] = useState<{ id: number; x: number; y: number }>();
  const follow = useRef<Following>();
  const listPx = useRef(0);
  listPx.current = hasList && !isPhone ? LIST_PX : 0;
  const coveredPx = (): number => (isPhone && map ? CARD_PART * map.getContainer().clientHeight : 0);
  const show = (lon: number, lat: number, zoom = map?.getZoom() ?? 0): void =>
    void map?.easeTo({ center: [lon, lat], zoom, offset: [0, -coveredPx() / 2] });
  const select = (id?: number): void => go(id === undefined ? to("map") : to("map", id));

  useEffect(() => {
    if (!map) return;
    const drawn = new Painter(map, fleet);
    const following = followView(client, map, fleet, { changed: () => drawn.wake(), first: () => {
      fit(map, fleet, listPx.current);
      setFitted(true);
    } });
    setPainter(drawn);
    follow.current = following;
    return () => {
      following.end();
      drawn.end();
      fleet.clear();
      setPainter(undefined);
    };
  }, [map, client, fleet]);
  useEffect(() => {
    if (!painter) return;
    Object.assign(painter, { selected, hasTrails, isFollowing: isFollowing && selected !== undefined, coveredPx: coveredPx(), isDark: theme === "dark" });
    painter.wake();
  // eslint-disable-next-line react-hooks/exhaustive-deps -- how much is covered goes by whether it is a phone
  }, [painter, selected, hasTrails, isFollowing, theme, isPhone]);
  useEffect(() => {
    if (!map || !painter) return;
    const click = ({ point }: { point: { x: number; y: number } }): void => {
      const { vehicle, cluster } = painter.hit(point.x, point.y);
      if (cluster) map.easeTo({ center: [lonOf(cluster.x), latOf(cluster.y)], zoom: map.getZoom() + 2 });
      else select(vehicle);
      seek(undefined);
      const mark = vehicle && isPhone ? fleet.marks.get(vehicle) : undefined;
      if (mark) show(lonOf(mark.toX), latOf(mark.toY)); // its card would lie on it
    };
    const point = ({ point: { x, y } }: { point: { x: number; y: number } }): void => {
      const { vehicle, cluster } = painter.hit(x, y);
      map.getCanvas().style.cursor = vehicle || cluster ? "pointer" : "";
      setHint(vehicle ? { id: vehicle, x, y } : undefined);
    };
    const drag = (): void => setFollowing(false);
    map.on("click", click);
    map.on("mousemove", point);
    map.on("dragstart", drag);
    return () => {
      map.off("click", click);
      map.off("mousemove", point);
      map.off("dragstart", drag);
    };
  // eslint-disable-next-line react-hooks/exhaustive-deps -- what they call goes by these alone
  }, [map, painter, isPhone]);

  const showNear = (lon: number, lat: number): void => show(lon, lat, Math.max(map?.getZoom() ?? 0, NEAR_ZOOM));
  const showTrack = (track: Coloured | undefined): void => void (map?.getSource("track") as GeoJSONSource | undefined)?.setData(track?.lines ?? EMPTY);
  return (
    <section className={css.page} aria-label={t("map.title")}>
      <h1 className="unseen">{t("map.title")}</h1>
      <div className={css.map} ref={where} data-ready={Boolean(painter)} />
      {hint && hint.id !== selected && <span className={css.hint} style={{ left: hint.x, top: hint.y }} aria-hidden="true">{names.of(hint.id)}</span>}
      <div className={css.tools} role="group" aria-label={t("map.tools")}>
        <button type="button" aria-pressed={hasList} onClick={() => setList(!hasList)}><Icon name="search" />{t("map.vehicles")}</button>
        <button type="button" aria-pressed={hasTrails} onClick={() => setTrails(!hasTrails)}><Icon name="trail" />{t("map.trails")}</button>
        <button type="button" onClick={() => follow.current?.whole()}><Icon name="map" />{t("map.fit")}</button>
      </div>
      {hasList && painter && (
        <VehicleList fleet={fleet} painter={painter} selected={selected} select={(id) => {
          select(id);
          const mark = fleet.marks.get(id);
          if (mark) showNear(lonOf(mark.toX), latOf(mark.toY));
          seek(mark ? undefined : id);
          if (isPhone) setList(undefined);
        }} />
      )}
      {selected !== undefined && (
        <VehicleCard key={selected} id={selected} isFollowing={isFollowing} setFollowing={setFollowing} show={showNear}
          isSought={isFitted && sought === selected} found={() => seek(undefined)} showTrack={showTrack} close={() => select()} />
      )}
    </section>
  );
}
