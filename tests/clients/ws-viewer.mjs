// npm `ws` as it is, with its own permessage-deflate unless told otherwise: says all that it hears.
import WebSocket from "ws";
import { args, onCommand, say } from "./report.mjs";

const socket = new WebSocket(args.url, args.protocols ?? [], {
  headers: args.headers ?? {},
  ...(args.options ?? {}),
});
let bytes = 0;

socket.on("open", () => {
  socket._socket.prependListener("data", (chunk) => (bytes += chunk.length));
  say("open", { extensions: socket.extensions, protocol: socket.protocol });
});
socket.on("message", (data, isBinary) => say("message", { text: data.toString(), isBinary, bytes }));
socket.on("unexpected-response", (request, response) => say("refused", { status: response.statusCode }));
socket.on("close", (code, reason) => say("close", { code, reason: reason.toString() }));
socket.on("error", (error) => say("error", { message: error.message }));
onCommand((command) => socket.send(command.send));
