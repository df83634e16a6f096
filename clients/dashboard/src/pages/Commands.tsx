import type { CommandUpdate } from "@tidegate/client";
import { useEvents } from "@tidegate/client/react";
import { useMemo, useState } from "react";
import { CommandForm, CommandState } from "../commands/CommandForm";
import { useAsked, type Listing } from "../data/api";
import { t, time } from "../i18n";
import { to } from "../router";
import css from "./Commands.module.css";

interface Known {
  device_code: string | null;
  device_id: number;
  action: string;
  payload: unknown;
  message: string | null;
  state: string;
  created_at: string;
}

interface Device {
  id: number;
  device_code: string;
  name: string | null;
}

const LIVE = 500;

/** Tells devices what to do, and shows what becomes of all commands that one may see while one looks. */
export default function Commands() {
  const devices = useAsked<Listing<Device>>("api/devices?limit=1000");
  const { events } = useEvents({ to: ["device/*"], types: ["command_update"] }, LIVE);
  const [device, setDevice] = useState("");
  const commands = useMemo(() => {
    const found = new Map<string, CommandUpdate[]>();
    for (const event of events as unknown as CommandUpdate[]) found.set(event.command_id, [...(found.get(event.command_id) ?? []), event]);
    return [...found].reverse();
  }, [events]);

  return (
    <section className="page">
      <div className="bar"><h1>{t("commands.title")}</h1></div>
      <div className={css.parts}>
        <div className={`panel ${css.form}`}>
          <label>{t("command.device")}
            <input list="devices" value={device} onChange={(event) => setDevice(event.target.value)} placeholder={t("commands.which")} autoComplete="off" />
          </label>
          <datalist id="devices">
            {devices.value?.items.map((one) => <option key={one.id} value={one.device_code}>{one.name}</option>)}
          </datalist>
          <CommandForm device={device} />
        </div>
        <div>
          {commands.length === 0 && <p className="quiet">{t("commands.none")}</p>}
          <ol className={css.list} aria-label={t("commands.title")}>
            {commands.map(([id, updates]) => <li key={id} className="panel"><One id={id} updates={updates} /></li>)}
          </ol>
        </div>
      </div>
    </section>
  );
}

/* What was told, and to whom, is asked for once it is known that there is such a command. */
function One({ id, updates }: { id: string; updates: CommandUpdate[] }) {
  const { value } = useAsked<Known>(`api/commands/${encodeURIComponent(id)}`);
  const last = updates.at(-1)!;

  return (
    <>
      <div className={css.head}>
        <h2>{value?.action ?? id}</h2>
        {value && <a href={to("devices", value.device_id)}>{value.device_code ?? value.device_id}</a>}
        <time>{time(value?.created_at ?? updates[0]!.timestamp)}</time>
      </div>
      {value?.payload != null && <code>{JSON.stringify(value.payload)}</code>}
      <p>{updates.map(({ state, cursor }, n) => <CommandState key={cursor ?? n} state={state} />)} {last.message}</p>
    </>
  );
}
