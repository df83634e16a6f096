import type { DeviceWithClock } from "@tidegate/client";
import { useConnection, useDevices } from "@tidegate/client/react";
import { useEffect, useMemo, useState } from "react";
import { numbersOf } from "../charts/columns";
import { nameOf, Series } from "../charts/Series";
import { CommandForm } from "../commands/CommandForm";
import { now } from "../data/clock";
import { useRecent, type Placed } from "../data/recent";
import { heardPush, isUnstored, placeOf } from "../data/stored";
import { ago, t, time } from "../i18n";
import { to } from "../router";
import { Lines } from "../ui/Lines";
import { Members } from "../ui/Members";
import { Tabs } from "../ui/Tabs";
import { useTick } from "../ui/useSlow";
import { Clock, Status } from "./badges";
import { titleOf } from "./DeviceList";
import css from "./DevicePage.module.css";

interface Message extends Placed {
  data: unknown;
}

const MESSAGES = 200;

/** One device: what it says, as lines and as a picture, and what one tells it. */
export function DevicePage({ id }: { id: number }) {
  const found = useDevices({ to: [`device/id:${id}`] });
  const isKnown = useConnection().state !== "connecting" && found.ready;
  const { update, telemetry } = found.get(id) ?? {};
  const device = update?.device;

  useTick(1000);
  useEffect(() => heardPush(telemetry ?? {}), [telemetry]);
  if (!device) return <section className="page"><a href={to("devices")}>{t("devices.back")}</a><p className="quiet" role="status">{t(isKnown ? "devices.waiting" : "app.loading")}</p></section>;
  return (
    <section className="page">
      <div className={css.head}>
        <a href={to("devices")}>{t("devices.back")}</a>
        <h1>{titleOf(device)}</h1>
        <p>
          <Status status={device.status} />
          {device.clock && <Clock clock={device.clock} />}
          <span>{t("devices.seen")}: {ago(device.last_seen, now())}</span>
          {telemetry && isUnstored(telemetry) && <strong>{t("vehicle.unstored")}</strong>}
        </p>
      </div>
      <div className={css.parts}>
        <div className={`panel ${css.side}`}>
          <Tabs tabs={[
            { key: "state", title: t("vehicle.state"), content: () => (telemetry ? <Members data={telemetry.data} /> : <p className="quiet">{t("vehicle.nothing")}</p>) },
            { key: "about", title: t("devices.about"), content: () => <About device={device} /> },
            { key: "messages", title: t("devices.messages"), content: () => <Messages id={id} /> },
            { key: "command", title: t("command.title"), content: () => <CommandForm device={device.device_code} /> },
          ]} />
        </div>
        <Charts code={device.device_code} data={telemetry?.data} />
      </div>
    </section>
  );
}

const FIRST = 3;

function Charts({ code, data }: { code: string; data: unknown }) {
  const known = JSON.stringify(numbersOf(data)); // names alone: they seldom change
  const members = useMemo(() => JSON.parse(known) as string[], [known]);
  const [wanted, setWanted] = useState<string[]>();
  const shown = wanted ?? members.slice(0, FIRST);
  const rest = members.filter((member) => !shown.includes(member));

  return (
    <div className={css.charts}>
      {shown.map((member) => (
        <div className="panel" key={member}>
          <Series of={{ kind: "device", code, member }} close={() => setWanted(shown.filter((one) => one !== member))} />
        </div>
      ))}
      {members.length === 0 && <p className="quiet">{t("devices.no_numbers")}</p>}
      {rest.length > 0 && (
        <label className={css.more}>
          {t("devices.more_charts")}
          <select value="" onChange={(event) => setWanted([...shown, event.target.value])}>
            <option value="" disabled>{t("devices.choose")}</option>
            {rest.map((member) => <option key={member} value={member}>{nameOf(member)}</option>)}
          </select>
        </label>
      )}
    </div>
  );
}

function About({ device }: { device: DeviceWithClock }) {
  const { device_code: code, name, product_type: product, device_type: type, firmware_version: firmware, location, latitude, longitude, groups, key } = device;
  return <Members data={{ code, name, key, type, product, firmware, location, latitude, longitude, groups: groups.map((one) => one.name).join(", ") || null }} />;
}

function Messages({ id }: { id: number }) {
  const { items, isBusy, error } = useRecent<Message>(
    `api/devices/id:${id}/telemetry?limit=${MESSAGES}`, { to: [`device/id:${id}`], types: ["telemetry"] }, MESSAGES);

  if (!items.length) return <p className="quiet" role="status">{error?.message ?? t(isBusy ? "app.loading" : "vehicle.no_log")}</p>;
  return (
    <Lines label={t("devices.messages")} lines={items.map((one) => (
      { key: placeOf(one), head: time(one.timestamp), text: typeof one.data === "string" ? one.data : JSON.stringify(one.data) }))} />
  );
}
