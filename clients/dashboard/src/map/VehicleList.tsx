import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { useNames } from "../data/names";
import { ago, number, t } from "../i18n";
import { now as timeNow } from "../data/clock";
import { isStale, type MapFleet } from "./fleet";
import type { Painter } from "./painter";
import css from "./VehicleList.module.css";

const EVERY_MS = 1000;
const ROW_PX = 46;
const byName = new Intl.Collator(undefined, { numeric: true });

/** What is on the map, in words: found by name, also by who cannot see it or has no mouse. */
export function VehicleList({ fleet, painter, selected, select }:
  { fleet: MapFleet; painter: Painter; selected: number | undefined; select(id: number): void }) {
  const names = useNames();
  const [search, setSearch] = useState("");
  const [tick, setTick] = useState(0);
  const scroller = useRef<HTMLDivElement>(null);
  const known = names.read();

  useEffect(() => {
    const timer = setInterval(() => setTick((n) => n + 1), EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const rows = useMemo(() => {
    const wanted = search.trim().toLowerCase();
    const ids = new Set([...fleet.marks.keys(), ...known.keys()]);
    return [...ids].map((id) => ({ id, name: names.of(id), mark: fleet.marks.get(id) }))
      .filter(({ id, name }) => !wanted || name.toLowerCase().includes(wanted) || known.get(id)?.code.toLowerCase().includes(wanted))
      .sort((a, b) => Number(Boolean(b.mark)) - Number(Boolean(a.mark)) || byName.compare(a.name, b.name));
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the fleet changes behind this; once a second is enough
  }, [tick, search, known, fleet, names]);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW_PX, overscan: 8 });
  const here = performance.now();

  return (
    <aside className={css.list} aria-label={t("map.vehicles")}>
      <div className={css.head}>
        <input type="search" value={search} placeholder={t("map.search")} aria-label={t("map.search")} onChange={(event) => setSearch(event.target.value)} />
        <p role="status">{t("map.in_view", { n: painter.inView })}</p>
      </div>
      <div className={css.rows} ref={scroller} tabIndex={0} role="group" aria-label={t("map.vehicles")}>
        <ul style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const { id, name, mark } = rows[index]!;
            return (
              <li key={id} style={{ transform: `translateY(${start}px)` }}>
                <button type="button" aria-pressed={id === selected} onClick={() => select(id)}>
                  <span className={css.dot} data-state={!mark ? "away" : isStale(mark, here) ? "stale" : "fresh"} aria-hidden="true" />
                  <span className={css.name}>{name}</span>
                  <span className={css.more}>
                    {!mark ? t("map.elsewhere") : isStale(mark, here) ? ago(timeNow() - (here - mark.seen), timeNow())
                      : Number.isNaN(mark.speed) ? "" : t("unit.mps", { value: number(mark.speed, 1) })}
                  </span>
                </button>
              </li>
            );
          })}
        </ul>
        {rows.length === 0 && <p className="quiet">{t(!names.isKnown ? "app.loading" : search ? "map.none_found" : "map.none")}</p>}
      </div>
    </aside>
  );
}
