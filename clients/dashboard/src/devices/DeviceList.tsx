import { createColumnHelper, flexRender, getCoreRowModel, getSortedRowModel, useReactTable, type SortingState } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import type { DeviceWithClock } from "@tidegate/client";
import { useConnection, useDevices } from "@tidegate/client/react";
import { useMemo, useRef, useState } from "react";
import { now } from "../data/clock";
import { ago, t, time } from "../i18n";
import { to } from "../router";
import { useSlow, useTick } from "../ui/useSlow";
import { Clock, Status } from "./badges";
import css from "./DeviceList.module.css";

const ROW_PX = 45;
const STATUSES = ["online", "warning", "error", "offline"] as const;

export const titleOf = (device: DeviceWithClock): string => device.name || device.device_code;

const help = createColumnHelper<DeviceWithClock>();
const columns = [
  help.accessor(titleOf, {
    id: "name", header: () => t("devices.name"), sortingFn: "alphanumeric",
    cell: ({ row: { original: one } }) => (
      <a href={to("devices", one.id)}>{titleOf(one)}{one.name && one.name !== one.device_code && <small>{one.device_code}</small>}</a>
    ),
  }),
  help.accessor("status", {
    header: () => t("devices.status"), cell: ({ getValue }) => <Status status={getValue()} />,
    sortingFn: (a, b) => STATUSES.indexOf(a.original.status) - STATUSES.indexOf(b.original.status),
  }),
  help.accessor((one) => one.groups.map(({ name }) => name).join(", "), { id: "groups", header: () => t("devices.groups") }),
  help.accessor((one) => one.device_type ?? one.product_type ?? "", { id: "type", header: () => t("devices.type") }),
  help.accessor("location", { header: () => t("devices.location"), cell: ({ getValue }) => getValue() ?? "" }),
  help.accessor((one) => Date.parse(one.last_seen ?? "") || 0, {
    id: "seen", header: () => t("devices.seen"), sortDescFirst: true,
    cell: ({ row: { original: one } }) => <span title={time(one.last_seen)}>{ago(one.last_seen, now())}</span>,
  }),
  help.accessor((one) => one.clock?.verdict ?? "", { id: "clock", header: () => t("devices.clock"), cell: ({ row }) => <Clock clock={row.original.clock} /> }),
];

export function DeviceList() {
  const live = useSlow(useDevices({ maxHz: 1 }), 500);
  const { state } = useConnection();
  const [search, setSearch] = useState("");
  const [status, setStatus] = useState("");
  const [group, setGroup] = useState("");
  const [sorting, setSorting] = useState<SortingState>([{ id: "name", desc: false }]);
  const scroller = useRef<HTMLDivElement>(null);
  const all = useMemo(() => [...live.values()].flatMap(({ update }) => update?.device ?? []), [live]);
  const isKnown = live.ready && (all.length > 0 || state !== "connecting");
  const groups = useMemo(() => [...new Map(all.flatMap((one) => one.groups).map((one) => [one.id, one.name]))]
    .sort((a, b) => a[1].localeCompare(b[1])), [all]);
  const data = useMemo(() => {
    const wanted = search.trim().toLowerCase();
    return all.filter((one) => (!status || one.status === status)
      && (!group || one.groups.some(({ id }) => `${id}` === group))
      && (!wanted || [one.name, one.device_code, one.location, one.device_type, one.product_type].some((text) => text?.toLowerCase().includes(wanted))));
  }, [all, search, status, group]);
  const table = useReactTable({
    data, columns, state: { sorting }, onSortingChange: setSorting, getRowId: ({ id }) => `${id}`,
    getCoreRowModel: getCoreRowModel(), getSortedRowModel: getSortedRowModel(), enableSortingRemoval: false,
  });
  const { rows } = table.getRowModel();
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW_PX, overscan: 10 });
  const items = virtual.getVirtualItems();
  const [above, below] = [items[0]?.start ?? 0, virtual.getTotalSize() - (items.at(-1)?.end ?? 0)];

  useTick(1000);
  return (
    <section className={`page ${css.page}`}>
      <div className="bar">
        <h1>{t("devices.title")}</h1>
        <input type="search" placeholder={t("devices.search")} aria-label={t("devices.search")} value={search} onChange={(event) => setSearch(event.target.value)} />
        <select aria-label={t("devices.status")} value={status} onChange={(event) => setStatus(event.target.value)}>
          <option value="">{t("devices.all_statuses")}</option>
          {STATUSES.map((one) => <option key={one} value={one}>{t(`status.${one}`)}</option>)}
        </select>
        {groups.length > 0 && (
          <select aria-label={t("devices.groups")} value={group} onChange={(event) => setGroup(event.target.value)}>
            <option value="">{t("devices.all_groups")}</option>
            {groups.map(([id, name]) => <option key={id} value={id}>{name}</option>)}
          </select>
        )}
      </div>
      <p className={css.count} role="status">
        {!isKnown ? "" : data.length === all.length ? t("devices.count", { n: all.length }) : t("devices.count_of", { n: data.length, all: all.length })}
      </p>
      <div className={css.scroller} ref={scroller} tabIndex={0} role="group" aria-label={t("devices.title")}>
        <table aria-rowcount={rows.length + 1}>
          <thead>
            {table.getHeaderGroups().map(({ id, headers }) => (
              <tr key={id}>
                {headers.map(({ id: column, column: { getToggleSortingHandler, getIsSorted, columnDef }, getContext }) => (
                  <th key={column} scope="col" data-column={column}
                    aria-sort={getIsSorted() === "asc" ? "ascending" : getIsSorted() === "desc" ? "descending" : "none"}>
                    <button type="button" onClick={getToggleSortingHandler()}>
                      {flexRender(columnDef.header, getContext())}<span aria-hidden="true">{{ asc: "▲", desc: "▼" }[getIsSorted() as string] ?? ""}</span>
                    </button>
                  </th>
                ))}
              </tr>
            ))}
          </thead>
          <tbody>
            {above > 0 && <tr aria-hidden="true"><td colSpan={columns.length} style={{ height: above }} /></tr>}
            {items.map(({ index }) => (
              <tr key={rows[index]!.id} aria-rowindex={index + 2}>
                {rows[index]!.getVisibleCells().map((cell) => (
                  <td key={cell.id} data-column={cell.column.id}>{flexRender(cell.column.columnDef.cell, cell.getContext())}</td>
                ))}
              </tr>
            ))}
            {below > 0 && <tr aria-hidden="true"><td colSpan={columns.length} style={{ height: below }} /></tr>}
          </tbody>
        </table>
        {rows.length === 0 && <p className="quiet">{t(all.length ? "devices.none_found" : isKnown ? "devices.none" : "app.loading")}</p>}
      </div>
    </section>
  );
}
