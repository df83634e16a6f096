import { useRecent, type Placed } from "../data/recent";
import { placeOf } from "../data/stored";
import { t, time } from "../i18n";
import { Lines } from "../ui/Lines";

interface Line extends Placed {
  data: unknown;
}

const MOST = 500;

/** What a vehicle says in words: what is stored, and what comes. */
export function RawLog({ id }: { id: number }) {
  const { items, isBusy, error } = useRecent<Line>(
    `api/vehicles/id:${id}/logs?types=raw_log&limit=${MOST}`, { to: [`vehicle/id:${id}`], types: ["raw_log"] }, MOST);

  if (!items.length) return <p className="quiet" role="status">{error?.message ?? t(isBusy ? "app.loading" : "vehicle.no_log")}</p>;
  return <Lines label={t("vehicle.log")} lines={items.map((line) => ({ key: placeOf(line), head: time(line.timestamp), text: String(line.data) }))} />;
}
