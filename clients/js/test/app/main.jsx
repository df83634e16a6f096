import { TidegateProvider, useClient, useCommand, useConnection, useDevice, useDevices, useEvents, usePlayback, useSeries, useVehicle, useVehicles } from "@tidegate/client/react";
import { events, poll } from "@tidegate/client/fallback";
import { tabs } from "@tidegate/client/tabs";
import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

const { gateway, token, vehicle, share, past, device, near } = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
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
  return <p id="fleet" data-ready={devices.ready}>{[...vehicles.keys()].join(" ")} / {devices.size}</p>;
}

/* A box alone, and a target by a name with a blank. */
function Near({ name }) {
  return <p id="near">{[...useVehicles([1, 0, 3, 2]).keys()].join(" ")} / {[...useDevices({ to: [`device/${name}`] }).keys()].join(" ")}</p>;
}

function Last() {
  const { events: all, ready } = useEvents({ to: ["user"], types: ["raw_log"] }, 50);
  return <ul id="events" data-ready={ready}>{all.map((event) => <li key={event.cursor}>{event.data}</li>)}</ul>;
}

function Chart() {
  const { state, points, columns } = useSeries("device/dev-1", "n", 600_000);
  return <p id="chart">{state}: {columns.reduce((n, column) => n + column[8], 0)}, {points[0]?.[1]} to {points.at(-1)?.[1]}</p>;
}

function Past() {
  const { mode, events, vehicles, live } = usePlayback({ to: ["vehicle/*"], types: ["vehicle_log"], at: Date.parse(past) + Math.random(), rate: 100 });
  return <p id="past" onClick={live}>{mode}: {events.length}, {vehicles.get(Number(vehicle))?.log?.data.heading}</p>;
}

function Blink() {
  const { send, state } = useCommand();
  return <button id="blink" onClick={() => send({ device: "dev-1", action: "BLINK", timeoutMs: 60000 })}>{state?.state ?? "blink"}</button>;
}

/* All that there is at once, how many events came, and why connections ended. */
function Wall() {
  const client = useClient();
  const [vehicles, devices] = [useVehicles(), useDevices()];
  const { events: last } = useEvents({ to: ["user"] }, 200);
  const [state, telemetry] = [useVehicle(Number(vehicle)), useDevice(Number(device))?.telemetry];
  const charts = [
    useSeries(`device/${device}`, "n", 60_000), useSeries(`vehicle/${vehicle}`, "battery_voltage", 60_000),
    useSeries(`vehicle/${vehicle}`, "t", { window: 60_000, sensor: 5, points: 200 }),
  ];

  useEffect(() => {
    window.seen = 0;
    const sub = client.subscribe({ to: ["user"] }, { onEvent: () => (window.seen += 1) });
    window.ends = [];
    const end = client.onConnection(({ reason }) => reason && window.ends.push(reason));
    return () => (end(), sub.unsubscribe());
  }, [client]);
  return (
    <p id="wall">
      {vehicles.size} {devices.size} {last.at(-1)?.cursor} {state?.sensors.size} {telemetry?.data.n}{" "}
      {charts.map(({ points }) => points.length).join(" ")}
    </p>
  );
}

function Page() {
  const { state, transport } = useConnection();
  const [isShown, show] = useState(true);
  return (
    <>
      <p id="state">{state} {transport}</p>
      {isShown && <><Vehicle id={Number(vehicle)} /><Vehicle id={Number(vehicle)} /><Fleet /><Last /><Chart /><Chart />{past && <Past />}{near && <Near name={near} />}<Blink />{device && <Wall />}</>}
      <button id="toggle" onClick={() => show(!isShown)}>toggle</button>
    </>
  );
}

createRoot(document.getElementById("root")).render(
  <StrictMode><TidegateProvider options={options}><Page /></TidegateProvider></StrictMode>,
);
