// The front end of a BLE people counter: `/ws`, a text `ping` every 15 s, and 5 s after a close it
// is back, unless the server has said 1000. It knows two messages and complains of any other.
import WebSocket from "ws";
import { args, say, SECOND } from "./report.mjs";

const view = { people: 0, detections: 0 };

function handle(message) {
  switch (message.type) {
    case "detection_event":
      view.detections += message.count;
      say("view", { ...view, device: message.device_id, at: message.timestamp });
      break;
    case "stats_update":
      view.people = message.data.total.estimated_people;
      say("view", { ...view, near: message.data.by_zone.near, minutes: message.data.time_window_minutes });
      break;
    default:
      say("unexpected", { message });
  }
}

function connect() {
  const socket = new WebSocket(args.url);
  let heartbeat;

  socket.onopen = () => {
    say("open");
    heartbeat = setInterval(() => socket.send("ping"), 15 * SECOND);
  };
  socket.onmessage = ({ data }) => (data === "pong" ? say("pong") : handle(JSON.parse(data)));
  socket.onerror = () => {};
  socket.onclose = ({ code }) => {
    clearInterval(heartbeat);
    say("close", { code });
    if (code !== 1000) setTimeout(connect, 5 * SECOND);
  };
}

connect();
