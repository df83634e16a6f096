import { useClient, useEvents } from "@tidegate/client/react";
import { useEffect } from "react";
import { useAsked, type Listing } from "../data/api";
import { t, time } from "../i18n";
import { Lines } from "../ui/Lines";

interface Line {
  cursor: string;
  timestamp: string | null;
  data: unknown;
}

const LIVE = 500;

/** What a vehicle says in words: what is stored, and what comes. A line that is in both is shown once. */
export function RawLog({ id }: { id: number }) {
  const client = useClient();
  const { events } = useEvents({ to: [`vehicle/id:${id}`], types: ["raw_log"] }, LIVE);
  const stored = useAsked<Listing<Line>>(`api/vehicles/id:${id}/logs?types=raw_log&limit=200`);

  // What was stored while the subscription was on its way is in neither: it is asked for once nothing can be missed.
  useEffect(() => {
    const sub = client.subscribe({ to: [`vehicle/id:${id}`], types: ["raw_log"] });
    sub.ready.then(() => {
      stored.again();
      sub.unsubscribe();
    }, () => {});
    return () => sub.unsubscribe();
  // eslint-disable-next-line react-hooks/exhaustive-deps -- once for each vehicle
  }, [client, id]);
  const live = events as unknown as readonly Line[];
  const known = new Set(live.map(({ cursor }) => cursor));
  const older = (stored.value?.items ?? []).filter(({ cursor }) => !known.has(cursor));
  const lines = [...[...live].reverse(), ...older];

  if (stored.error && !lines.length) return <p className="quiet" role="status">{stored.error.message}</p>;
  if (!lines.length) return <p className="quiet">{t(stored.isBusy ? "app.loading" : "vehicle.no_log")}</p>;
  return <Lines label={t("vehicle.log")} lines={lines.map(({ cursor, timestamp, data }) => ({ key: cursor, head: time(timestamp), text: String(data) }))} />;
}
