// A React hook that keeps the list of a user's devices: `/ws/devices`, a JSON ping every 30 s, and
// a reconnect that takes twice as long each time, up to 30 s; after 1000 it stays away.
import React, { useCallback, useEffect, useRef, useState } from "react";
import TestRenderer from "react-test-renderer";
import WebSocket from "ws";
import { args, onCommand, say, SECOND } from "./report.mjs";

function applyMessage(devices, message) {
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

function useDeviceHub(url) {
  const [devices, setDevices] = useState(() => new Map());
  const [isConnected, setConnected] = useState(false);
  const attempts = useRef(0);
  const hear = useCallback(({ data }) => setDevices((all) => applyMessage(all, JSON.parse(data))), []);

  useEffect(() => {
    let socket, heartbeat, retry, isOver = false;

    function connect() {
      socket = new WebSocket(url);
      socket.onopen = () => {
        attempts.current = 0;
        setConnected(true);
        heartbeat = setInterval(() => socket.send(JSON.stringify({ type: "ping" })), 30 * SECOND);
      };
      socket.onmessage = hear;
      socket.onerror = () => {};
      socket.onclose = ({ code }) => {
        clearInterval(heartbeat);
        setConnected(false);
        say("close", { code });
        if (isOver || code === 1000) return;
        retry = setTimeout(connect, Math.min(2 ** attempts.current++, 30) * SECOND);
      };
    }

    connect();
    return () => {
      isOver = true;
      clearTimeout(retry);
      socket.close(1000);
    };
  }, [url, hear]);

  return { devices: [...devices.values()], isConnected };
}

function DeviceTable({ url }) {
  const { devices, isConnected } = useDeviceHub(url);
  const rows = devices.map((d) =>
    React.createElement("row", { key: d.id, code: d.device_code, status: d.status, temperature: d.temperature }));

  return React.createElement("table", { isConnected }, rows);
}

const tree = TestRenderer.create(React.createElement(DeviceTable, { url: args.url }));
let shown = "";

setInterval(() => {
  const table = tree.root.findByType("table");
  const now = {
    isConnected: table.props.isConnected,
    rows: table.findAllByType("row").map(({ props: { code, status, temperature } }) => ({ code, status, temperature })),
  };

  if (JSON.stringify(now) === shown) return;
  shown = JSON.stringify(now);
  say("screen", now);
}, 10);
onCommand(({ unmount }) => unmount && tree.unmount());
