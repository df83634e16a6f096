// The map of a fleet at sea: `/api/ws` with the token in the URL, subscribes to what it shows, a
// JSON ping with the time every 30 s, and up to 10 attempts to come back, 3 s apart, if not 1000.
import WebSocket from "ws";
import { args, say, SECOND } from "./report.mjs";

const MAX_ATTEMPTS = 10;
let attempts = 0;

function handle(socket, message) {
  switch (message.type) {
    case "connection":
      socket.send(JSON.stringify({ type: "subscribe", event_types: ["vehicle_log", "raw_log"] }));
      return say("welcome", { text: message.message });
    case "subscription_ack":
      return say("subscribed");
    case "pong":
      return say("pong", { delay: Date.now() - message.timestamp });
    case "vehicle_log":
      return say("moved", { vehicle: message.vehicle_id, n: message.data.rssi, at: message.timestamp });
    case "raw_log":
      return say("line", { vehicle: message.vehicle_id, text: message.data });
    default:
      return say("unexpected", { message });
  }
}

function connect() {
  const socket = new WebSocket(args.url);
  let heartbeat;

  socket.onopen = () => {
    attempts = 0;
    say("open");
    heartbeat = setInterval(
      () => socket.send(JSON.stringify({ type: "ping", timestamp: Date.now() })), 30 * SECOND);
  };
  socket.onmessage = ({ data }) => handle(socket, JSON.parse(data));
  socket.onerror = () => {};
  socket.onclose = ({ code }) => {
    clearInterval(heartbeat);
    say("close", { code });
    if (code === 1000) return;
    if (++attempts <= MAX_ATTEMPTS) setTimeout(connect, 3 * SECOND);
    else say("gives up");
  };
}

connect();
