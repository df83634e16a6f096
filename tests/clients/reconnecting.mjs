// npm `reconnecting-websocket` over npm `ws`, with the options that its documentation begins with.
import ReconnectingWebSocket from "reconnecting-websocket";
import WebSocket from "ws";
import { args, onCommand, say, SECOND } from "./report.mjs";

const socket = new ReconnectingWebSocket(args.url, args.protocols ?? [], {
  WebSocket,
  minReconnectionDelay: SECOND,
  maxReconnectionDelay: 10 * SECOND,
  connectionTimeout: 20000,
});

let isOpen = false; // it reports 1000 of its own where it could not connect

socket.addEventListener("open", () => {
  isOpen = true;
  say("open");
});
socket.addEventListener("message", ({ data }) => say("message", { text: data }));
socket.addEventListener("close", ({ code }) => {
  say(isOpen ? "close" : "still away", { code });
  isOpen = false;
});
onCommand((command) => socket.send(command.send));
