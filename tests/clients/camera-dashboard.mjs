// The dashboard of a camera system: signs in at /api/token; a WebSocket with the token in the
// header, or with a ticket as browsers must; signs in again when it is refused with 401 or 403; asks
// over HTTP every 5 s for as long as there is no WebSocket; never comes back after 1000.
import WebSocket from "ws";
import { args, say, SECOND } from "./report.mjs";

const EVENTS = ["statistics_update", "camera_event", "alert"];
let token = args.token ?? null;
let polling = null;

async function signIn() {
  const form = new URLSearchParams({ username: args.username, password: args.password });
  const response = await fetch(`${args.base}/api/token`, { method: "POST", body: form });

  if (!response.ok) throw new Error(`sign-in: ${response.status}`);
  token = (await response.json()).access_token;
  say("signed in");
}

async function ticket() {
  const response = await fetch(`${args.base}/api/ws/ticket`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}` },
  });

  if (response.status === 401 || response.status === 403) token = null;
  if (!response.ok) throw new Error(`ticket: ${response.status}`);
  return (await response.json()).ticket;
}

async function poll() {
  try {
    const response = await fetch(`${args.base}/api/faces/statistics`, {
      headers: { Authorization: `Bearer ${token}` },
    });

    if (response.ok) say("polled", { statistics: await response.json() });
  } catch {
    // the gateway is away: the next turn may find it
  }
}

function startPolling() {
  polling ??= setInterval(poll, 5 * SECOND);
}

function stopPolling() {
  clearInterval(polling);
  polling = null;
}

function handle(socket, message) {
  switch (message.type) {
    case "connection_status":
      socket.send(JSON.stringify({ type: "subscribe", event_types: EVENTS }));
      return say("welcome", { user: message.user, id: message.connection_id });
    case "subscription_confirmed":
      return say("subscribed", { types: message.event_types });
    case "statistics_update":
      return say("statistics", { statistics: message.data });
    case "camera_event":
      return say("seen", { camera: message.camera_id, type: message.event_type, data: message.data });
    case "alert":
      return say("alert", { text: message.message });
    case "pong":
      return say("pong", { timestamp: message.timestamp });
    default:
      return say("unexpected", { message });
  }
}

function again() {
  startPolling();
  setTimeout(connect, 5 * SECOND);
}

async function connect() {
  let socket, heartbeat, isRefused = false;

  try {
    if (!token) await signIn();
    socket = args.useTicket
      ? new WebSocket(`${args.url}?ticket=${await ticket()}`)
      : new WebSocket(args.url, { headers: { Authorization: `Bearer ${token}` } });
  } catch (error) {
    say("trouble", { message: error.message });
    return again();
  }

  socket.on("unexpected-response", (request, response) => {
    isRefused = true;
    if (response.statusCode === 401 || response.statusCode === 403) token = null;
    say("refused", { status: response.statusCode, retryAfter: response.headers["retry-after"] ?? null });
    request.destroy();
    again();
  });
  socket.onopen = () => {
    stopPolling();
    say("open");
    heartbeat = setInterval(
      () => socket.send(JSON.stringify({ type: "ping", timestamp: Date.now() })), 30 * SECOND);
  };
  socket.onmessage = ({ data }) => handle(socket, JSON.parse(data));
  socket.onerror = () => {};
  socket.onclose = ({ code }) => {
    clearInterval(heartbeat);
    say("close", { code });
    if (code !== 1000 && !isRefused) again();
  };
}

connect();
