// A rewrite of the page of a device hub: React in StrictMode, which mounts everything twice, and a hook
// that keeps the devices of its user. The token is in the address of the socket; the page gets another
// one when it is refused, as the browser does not tell it why.
import React, { StrictMode, useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";

function apply(devices, message) {
  switch (message.type) {
    case "device_list":
      return new Map(message.devices.map((device) => [device.id, device]));
    case "device_update":
      return new Map(devices).set(message.device.id, message.device);
    default:
      say("unexpected", { message });
      return devices;
  }
}

async function signIn() {
  const form = new URLSearchParams({ username: args.username, password: args.password });
  const answer = await fetch(`${args.base}/api/token`, { method: "POST", body: form });

  say("signed in", { status: answer.status });
  return answer.ok ? (await answer.json()).access_token : null;
}

function useDevices(base) {
  const [devices, setDevices] = useState(() => new Map());
  const [isConnected, setConnected] = useState(false);
  const token = useRef(args.token ?? null);

  useEffect(() => {
    let socket, heartbeat, retry, attempts = 0, isOver = false;

    async function connect() {
      let hasOpened = false;
      try {
        token.current ??= await signIn();
      } catch {
        // the gateway is away: the next turn may find it
      }
      if (isOver) return;
      say("connecting");
      socket = new WebSocket(`${base.replace("http", "ws")}/ws/devices?token=${token.current}`);
      socket.onopen = () => {
        hasOpened = true;
        attempts = 0;
        setConnected(true);
        heartbeat = setInterval(() => socket.send(JSON.stringify({ type: "ping" })), 30 * SECOND);
      };
      socket.onmessage = ({ data }) => setDevices((all) => apply(all, JSON.parse(data)));
      socket.onclose = ({ code }) => {
        clearInterval(heartbeat);
        setConnected(false);
        if (isOver) return;
        say("close", { code, hasOpened });
        if (code === 4202 || (!hasOpened && args.username && ++attempts > 2)) token.current = null;
        if (code !== 1000) retry = setTimeout(connect, 2 * SECOND);
      };
    }

    const leave = () => socket?.close(3000, "offline");
    addEventListener("offline", leave);
    connect();
    return () => {
      isOver = true;
      removeEventListener("offline", leave);
      clearTimeout(retry);
      clearInterval(heartbeat);
      socket?.close(1000);
    };
  }, [base]);
  return { devices: [...devices.values()], isConnected };
}

function Table() {
  const { devices, isConnected } = useDevices(args.base);
  const rows = devices.map((d) => ({ code: d.device_code, status: d.status, temperature: d.temperature,
    seen: d.last_seen && new Date(d.last_seen).getTime() }));

  useEffect(() => say("screen", { isConnected, rows, offset: new Date().getTimezoneOffset() }));
  return (
    <table>
      <caption>{isConnected ? "Live" : "Away"}</caption>
      <tbody>{rows.map((r) => <tr key={r.code}><td>{r.code}</td><td>{r.status}</td><td>{r.temperature}</td></tr>)}</tbody>
    </table>
  );
}

function Page() {
  const [isShown, setShown] = useState(true);

  return (
    <>
      <h1>Devices</h1>
      <button id="toggle" onClick={() => setShown(!isShown)}>Show or hide</button>
      {isShown && <Table />}
    </>
  );
}

createRoot(document.getElementById("root")).render(<StrictMode><Page /></StrictMode>);
