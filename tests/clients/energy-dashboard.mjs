// The dashboard of an energy device: every message is the device's telemetry, bare, and is drawn at
// once. Whatever has an envelope breaks it. Back 3 s after a close, unless that was 1000.
import WebSocket from "ws";
import { args, say, SECOND } from "./report.mjs";

function draw(telemetry) {
  const { voltage, current, n } = telemetry;

  if (typeof voltage !== "number" || typeof current !== "number" || "type" in telemetry)
    return say("unexpected", { telemetry });
  say("drawn", { power: Math.round(voltage * current), n });
}

function connect() {
  const socket = new WebSocket(args.url);

  socket.onopen = () => say("open");
  socket.onmessage = ({ data }) => draw(JSON.parse(data));
  socket.onerror = () => {};
  socket.onclose = ({ code }) => {
    say("close", { code });
    if (code !== 1000) setTimeout(connect, 3 * SECOND);
  };
}

connect();
