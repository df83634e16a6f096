import { useState } from "react";
import { CommandForm, CommandState, TONES } from "../commands/CommandForm";
import { useCommands, type Shown } from "../commands/useCommands";
import { useAsked, type Listing } from "../data/api";
import { t, time } from "../i18n";
import { to } from "../router";
import { useUser } from "../shell/context";
import css from "./Commands.module.css";

interface Device {
  id: number;
  device_code: string;
  name: string | null;
}

const STATES = Object.keys(TONES);

/** Tells devices what to do, and shows what became of all commands that one may see. */
export default function Commands() {
  const devices = useAsked<Listing<Device>>("api/devices?limit=1000").value?.items ?? [];
  const user = useUser();
  const [device, setDevice] = useState("");
  const [only, setOnly] = useState({ device: "", state: "" });
  const { commands, hasOlder, isBusy, error, readOn } = useCommands(only.device, only.state);
  const isAll = !only.device && !only.state;
  const mayCommand = user?.role === "admin" || user?.role === "user";

  return (
    <section className="page">
      <div className="bar"><h1>{t("commands.title")}</h1></div>
      <div className={css.parts} data-alone={!mayCommand}>
        {mayCommand && (
          <div className={`panel ${css.form}`}>
            <label>{t("command.device")}
              <input list="devices" value={device} onChange={(event) => setDevice(event.target.value)} placeholder={t("commands.which")} autoComplete="off" />
            </label>
            <datalist id="devices">
              {devices.map((one) => <option key={one.id} value={one.device_code}>{one.name}</option>)}
            </datalist>
            <CommandForm device={device} />
          </div>
        )}
        <div>
          <div className={css.tools}>
            <h2>{t("commands.sent")}</h2>
            <select aria-label={t("commands.of")} value={only.device} onChange={(event) => setOnly({ ...only, device: event.target.value })}>
              <option value="">{t("commands.all_devices")}</option>
              {devices.map((one) => <option key={one.id} value={one.id}>{one.name || one.device_code}</option>)}
            </select>
            <select aria-label={t("commands.in")} value={only.state} onChange={(event) => setOnly({ ...only, state: event.target.value })}>
              <option value="">{t("commands.all_states")}</option>
              {STATES.map((one) => <option key={one} value={one}>{t(`command.${one}` as "command.done")}</option>)}
            </select>
          </div>
          {error && <p role="alert" className="quiet">{error}</p>}
          {commands.length === 0 && !error && <p className="quiet" role="status">{t(isBusy ? "app.loading" : isAll ? "commands.none" : "commands.none_found")}</p>}
          <ol className={css.list} aria-label={t("commands.sent")}>
            {commands.map((one) => <li key={one.command_id} className="panel"><One command={one} /></li>)}
          </ol>
          {hasOlder && <button type="button" onClick={() => void readOn()}>{t("commands.older")}</button>}
        </div>
      </div>
    </section>
  );
}

function One({ command: { action, device_id, device_code, user, created_at, payload, states, message } }: { command: Shown }) {
  const isEmpty = payload == null || JSON.stringify(payload) === "{}";

  return (
    <>
      <div className={css.head}>
        <h3>{action}</h3>
        <a href={to("devices", device_id)}>{device_code ?? device_id}</a>
        <span>{user ? t("commands.by", { user }) : t("commands.by_nobody")}</span>
        <time dateTime={created_at}>{time(created_at)}</time>
      </div>
      {!isEmpty && <code>{JSON.stringify(payload)}</code>}
      <p>{states.map((state) => <CommandState key={state} state={state} />)} {message && <span>{message}</span>}</p>
    </>
  );
}
