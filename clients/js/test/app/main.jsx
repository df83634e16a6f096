import { TidegateProvider, useCommand, useConnection, useDevices, useEvents, usePlayback, useSeries, useVehicle, useVehicles } from "@tidegate/client/react";
import { events, poll } from "@tidegate/client/fallback";
import { tabs } from "@tidegate/client/tabs";
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";

const { gateway, token, vehicle, share, past } = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
const options = {
  url: gateway,
  token: () => token,
  fallback: [events(), poll()],
  ...(share && { WebSocket: tabs() }),
};

function Vehicle({ id }) {
  const state = useVehicle(id);
  return <p id={`vehicle-${id}`}>{state?.log ? state.log.data.heading : "nothing"}</p>;
}

function Fleet() {
  const vehicles = useVehicles();
  const devices = useDevices();
  return <p id="fleet">{[...vehicles.keys()].join(" ")} / {devices.size}</p>;
}

function Last() {
  const { events: all } = useEvents({ to: ["user"], types: ["raw_log"] }, 50);
  return <ul id="events">{all.map((event) => <li key={event.cursor}>{event.data}</li>)}</ul>;
}

function Chart() {
  const { state, points, columns } = useSeries("device/dev-1", "n", 600_000);
  return <p id="chart">{state}: {columns.reduce((n, column) => n + column[8], 0)}, {points[0]?.[1]} to {points.at(-1)?.[1]}</p>;
}

function Past() {
  const { mode, events, vehicles, live } = usePlayback({ to: ["vehicle/*"], types: ["vehicle_log"], at: past, rate: 100 });
  return <p id="past" onClick={live}>{mode}: {events.length}, {vehicles.get(Number(vehicle))?.log?.data.heading}</p>;
}

function Blink() {
  const { send, state } = useCommand();
  return <button id="blink" onClick={() => send({ device: "dev-1", action: "BLINK", timeoutMs: 60000 })}>{state?.state ?? "blink"}</button>;
}

function Page() {
  const { state, transport } = useConnection();
  const [isShown, show] = useState(true);
  return (
    <>
      <p id="state">{state} {transport}</p>
      {isShown && <><Vehicle id={Number(vehicle)} /><Vehicle id={Number(vehicle)} /><Fleet /><Last /><Chart /><Chart />{past && <Past />}<Blink /></>}
      <button id="toggle" onClick={() => show(!isShown)}>toggle</button>
    </>
  );
}

createRoot(document.getElementById("root")).render(
  <StrictMode><TidegateProvider options={options}><Page /></TidegateProvider></StrictMode>,
);
