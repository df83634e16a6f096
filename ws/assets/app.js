/*
 * The page at `/live`: signs in, connects to /api/ws with a single-use ticket, and shows what it hears.
 * Everything from outside is written with textContent.
 */

import { COLOURS, FleetMap } from "./map.js";

const MAX_ROWS = 250;
const MAX_TRAIL = 120;
const MAX_VEHICLES = 2000;
const MAX_KINDS = 32;
const MAX_HELD = 5000; /* messages kept while the log is paused */
const RATE_SECONDS = 5;
const PING_MS = 15000;
const PONG_MS = 10000;
const BACKOFF_MS = 1000;
const BACKOFF_MAX_MS = 30000;
const KINDS = {
  vehicle_log: ["Vehicle logs", "#1c7ed6"],
  sensor_log: ["Sensor logs", "#2f9e44"],
  raw_log: ["Raw logs", "#ae3ec9"],
  alert: ["Alerts", "#e03131"],
};

const $ = (id) => document.getElementById(id);

const session = {
  token: sessionStorage.getItem("tidegate.token"),
  username: sessionStorage.getItem("tidegate.username"),
  isAnonymous: false,
};
const vehicles = new Map(); /* id -> {id, name, colour, trail, heading, log, seen} */
const kinds = new Map(); /* name -> {label, colour, total, recent: [[second, n]…], elements} */
let all = null; /* the same for all kinds together */
let selected = null; /* vehicle id */
let fresh = []; /* messages that the log has not shown yet, oldest first */
let missed = 0; /* of those, how many did not fit */
let isPaused = false; /* by its button */
let isChanged = true; /* the fleet was */

const map = new FleetMap($("map"), (id) => select(id));

/* ---- helpers ---- */

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function fixed(value, digits, unit) {
  return Number.isFinite(value) ? `${value.toFixed(digits)}${unit}` : "–";
}

function ago(seen) {
  const seconds = Math.max(0, Math.round((Date.now() - seen) / 1000));
  if (!seen) return "–";
  if (seconds < 60) return `${seconds} s`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

/* Numbers as people read them: a position to a metre, the rest to three digits. */
function shown(name, value) {
  if (typeof value === "number" && !Number.isInteger(value))
    return String(Number(value.toFixed(/latitude|longitude/.test(name) ? 5 : 3)));
  return value !== null && typeof value === "object" ? JSON.stringify(value) : String(value);
}

function clockText(timestamp) {
  const time = new Date(timestamp);
  if (Number.isNaN(time.getTime())) return "–";
  return `${time.toLocaleTimeString([], { hour12: false })}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

function setState(state, text) {
  $("state").dataset.state = state;
  if ($("state-text").textContent !== text) $("state-text").textContent = text;
}

/* The page may lie under a prefix, behind a proxy. */
function here(path) {
  return new URL(path, document.baseURI);
}

function api(path, options = {}) {
  const headers = { Accept: "application/json", ...options.headers };
  if (session.token) headers.Authorization = `Bearer ${session.token}`;
  return fetch(here(path), { ...options, headers, cache: "no-store", credentials: "omit" });
}

/* ---- signing in and out ---- */

function show(view) {
  $("login").hidden = view !== "login";
  $("live").hidden = view !== "live";
  $("sign-out").hidden = !session.token;
  $("who").textContent = session.token ? session.username ?? "" : session.isAnonymous ? "Guest" : "";
}

function askToSignIn(reason) {
  connection.stop();
  session.token = null;
  sessionStorage.removeItem("tidegate.token");
  setState("idle", "Signed out");
  $("latency").textContent = "";
  $("login-error").textContent = reason ?? "";
  show("login");
  $("username").focus();
}

async function signIn(event) {
  event.preventDefault();
  const button = $("login-button");
  const form = new URLSearchParams({ username: $("username").value, password: $("password").value });
  button.disabled = true;
  $("login-error").textContent = "";
  try {
    const answer = await fetch(here("api/token"), { method: "POST", body: form, credentials: "omit" });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      const wait = answer.headers.get("Retry-After");
      $("login-error").textContent = answer.status === 401 ? "User name or password is wrong."
        : answer.status === 429 ? `Too many attempts. Try again in ${wait} s.`
          : body.detail ?? `The gateway answered ${answer.status}.`;
      return;
    }
    session.token = body.access_token;
    session.username = $("username").value;
    session.isAnonymous = false;
    sessionStorage.setItem("tidegate.token", session.token);
    sessionStorage.setItem("tidegate.username", session.username);
    $("password").value = "";
    forgetFleet();
    start();
  } catch {
    $("login-error").textContent = "The gateway cannot be reached.";
  } finally {
    button.disabled = false;
  }
}

function forgetFleet() {
  vehicles.clear();
  kinds.clear();
  fresh = [];
  missed = 0;
  selected = null;
  $("tiles").replaceChildren();
  $("rows").replaceChildren();
  $("vehicle").replaceChildren(new Option("All vehicles", ""));
  $("kind").replaceChildren(new Option("All kinds", ""));
  all = tileOf("All messages", "#0b7285");
  for (const name of Object.keys(KINDS).slice(0, 3)) kindOf(name);
  isChanged = true;
}

/* ---- the connection ---- */

const connection = {
  socket: null,
  timer: 0,
  pinger: 0,
  pongTimer: 0,
  attempts: 0,
  run: 0, /* what is under way from an earlier start() is ignored */

  stop() {
    this.run += 1;
    clearTimeout(this.timer);
    this.drop();
  },

  drop() {
    clearInterval(this.pinger);
    clearTimeout(this.pongTimer);
    if (!this.socket) return;
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
    this.socket = null;
  },

  async open() {
    this.run += 1;
    const run = this.run;
    clearTimeout(this.timer);
    this.drop();
    setState("wait", this.attempts === 0 ? "Connecting" : "Reconnecting");

    const url = here("api/ws");
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (session.token) {
      const ticket = await this.ticket();
      if (run !== this.run) return;
      if (ticket === null) return;
      if (ticket === "") {
        this.retry(run);
        return;
      }
      url.searchParams.set("ticket", ticket);
    }
    this.listen(new WebSocket(url), run);
  },

  /* null: signed out meanwhile; "": try again later. */
  async ticket() {
    try {
      const answer = await api("api/ws/ticket", { method: "POST" });
      if (answer.ok) return (await answer.json()).ticket;
      if (answer.status === 401 || answer.status === 403) {
        askToSignIn("Please sign in again.");
        return null;
      }
    } catch {
      /* no network, or the gateway is down: as below */
    }
    return "";
  },

  listen(socket, run) {
    let isOpen = false;
    this.socket = socket;
    socket.onopen = () => {
      isOpen = true;
      this.attempts = 0;
      session.isAnonymous = !session.token;
      setState("open", "Live");
      show("live");
      loadVehicles();
      this.pinger = setInterval(() => this.ping(), PING_MS);
      this.ping();
    };
    socket.onmessage = (event) => receive(event.data);
    socket.onclose = (event) => {
      this.drop();
      if (run === this.run) this.closed(event, isOpen);
    };
  },

  closed(event, wasOpen) {
    if (!session.token && !wasOpen && !session.isAnonymous) {
      askToSignIn("");
    } else if (event.code === 4202 || event.code === 4001 || event.code === 4004) {
      askToSignIn(event.code === 4004 ? "Your access has changed. Please sign in again."
        : "Your session has ended. Please sign in again.");
    } else if (event.code >= 4002 && event.code <= 4006) {
      setState("closed", `Closed by the gateway (${event.reason || event.code})`);
    } else {
      this.retry(this.run, event.code >= 4200 && event.code < 4300);
    }
  },

  /* Capped, doubling, with full jitter, so that a fleet of viewers does not come back at once. */
  retry(run, isInvited = false) {
    const limit = isInvited ? BACKOFF_MS : Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.attempts);
    const wait = 200 + Math.random() * limit;
    this.attempts += 1;
    $("latency").textContent = "";
    setState("wait", `Connection lost, trying again in ${Math.max(1, Math.round(wait / 1000))} s`);
    this.timer = setTimeout(() => {
      if (run === this.run) this.open();
    }, wait);
  },

  ping() {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    this.sent = performance.now();
    this.socket.send(JSON.stringify({ type: "ping", timestamp: Date.now() }));
    clearTimeout(this.pongTimer);
    this.pongTimer = setTimeout(() => {
      this.drop();
      this.retry(this.run);
    }, PONG_MS);
  },

  pong() {
    clearTimeout(this.pongTimer);
    $("latency").textContent = `${Math.max(1, Math.round(performance.now() - this.sent))} ms`;
  },
};

/* ---- what comes in ---- */

async function loadVehicles() {
  let cursor = null;
  try {
    do {
      const answer = await api(`api/vehicles?limit=1000${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
      if (!answer.ok) return;
      const page = await answer.json();
      for (const item of page.items) {
        const vehicle = vehicleOf(item.id);
        if (vehicle) vehicle.name = item.name || item.code;
        isChanged = true;
      }
      cursor = page.cursor;
    } while (cursor && vehicles.size < MAX_VEHICLES);
  } catch {
    /* names are a nicety: messages show the fleet without them */
  }
}

function vehicleOf(id) {
  let vehicle = vehicles.get(id);
  if (vehicle || vehicles.size >= MAX_VEHICLES) return vehicle;
  vehicle = {
    id, name: `Vehicle ${id}`, colour: COLOURS[Math.abs(id) % COLOURS.length],
    trail: [], heading: NaN, log: Object.create(null), seen: 0, /* any name, __proto__ too */
  };
  vehicles.set(id, vehicle);
  isChanged = true;
  return vehicle;
}

function tileOf(label, colour) {
  const tile = element("article", "tile");
  tile.style.setProperty("--tile", colour);
  tile.append(element("h3", "", label), element("div", "value", "0"), element("div", "rate", "0.0 / s"));
  $("tiles").append(tile);
  return { label, colour, total: 0, recent: [], value: tile.children[1], rate: tile.children[2] };
}

function kindOf(name) {
  if (kinds.has(name) || kinds.size >= MAX_KINDS) return kinds.get(name);
  const [label, colour] = KINDS[name] ?? [name, "#546a73"];
  $("kind").append(new Option(label, name));
  kinds.set(name, tileOf(label, colour));
  return kinds.get(name);
}

function count(kind) {
  const second = Math.floor(Date.now() / 1000);
  const last = kind.recent[kind.recent.length - 1];
  kind.total += 1;
  if (last && last[0] === second) last[1] += 1;
  else kind.recent.push([second, 1]);
}

function receive(text) {
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return;
  }
  if (message === null || typeof message !== "object") return;
  if (message.type === "pong") {
    connection.pong();
  } else if (typeof message.type === "string" && "data" in message) {
    const kind = kindOf(message.type);
    count(all);
    if (kind) count(kind);
    if (Number.isInteger(message.vehicle_id)) track(message);
    fresh.push(message);
    if (fresh.length > MAX_HELD) {
      fresh.shift();
      missed += 1;
    }
  }
}

function track(message) {
  const vehicle = vehicleOf(message.vehicle_id);
  const data = message.data;
  if (!vehicle) return;
  vehicle.seen = Date.now();
  isChanged = true;
  if (message.type !== "vehicle_log" || data === null || typeof data !== "object") return;

  for (const [name, value] of Object.entries(data)) if (value !== null) vehicle.log[name] = value;
  if (Number.isFinite(data.heading)) vehicle.heading = data.heading;
  if (Number.isFinite(data.latitude) && Number.isFinite(data.longitude)
      && Math.abs(data.latitude) <= 90 && Math.abs(data.longitude) <= 180) {
    vehicle.trail.push({ latitude: data.latitude, longitude: data.longitude });
    if (vehicle.trail.length > MAX_TRAIL) vehicle.trail.shift();
  }
}

/* ---- what is shown ---- */

function summary(message) {
  const data = message.data;
  if (typeof data === "string") return data;
  if (data === null || typeof data !== "object") return String(data);
  const parts = Object.entries(data)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${shown(name, value)}`);
  const sensor = Number.isInteger(message.sensor_id) ? `sensor ${message.sensor_id}: ` : "";
  return sensor + parts.join(" · ");
}

function row(message) {
  const kind = kinds.get(message.type);
  const vehicle = vehicles.get(message.vehicle_id);
  const made = element("tr");
  const badge = element("span", "kind", kind?.label ?? message.type);
  badge.style.setProperty("--tile", kind?.colour ?? "#546a73");
  const cell = element("td");
  cell.append(badge);
  made.append(
    element("td", "", clockText(message.timestamp)),
    element("td", "", vehicle?.name ?? (message.vehicle_id ?? "–")),
    cell,
    element("td", "", summary(message).slice(0, 600)),
  );
  return made;
}

function isWanted(message) {
  const kind = $("kind").value;
  return (selected === null || message.vehicle_id === selected) && (!kind || message.type === kind);
}

function isHeld() {
  return isPaused || $("log-scroll").scrollTop > 8;
}

function showLog() {
  const held = isHeld();
  const resume = $("resume");
  const n = fresh.length + missed;
  resume.hidden = !(held && n > 0);
  if (held) {
    resume.textContent = `${n.toLocaleString()} new · show`;
    return;
  }
  if (fresh.length === 0) return;

  const wanted = fresh.filter(isWanted).slice(-MAX_ROWS).reverse();
  fresh = [];
  missed = 0;
  const rows = $("rows");
  const made = document.createDocumentFragment();
  for (const message of wanted) made.append(row(message));
  rows.prepend(made);
  while (rows.children.length > MAX_ROWS) rows.lastElementChild.remove();
  $("log-empty").hidden = rows.children.length > 0;
}

function showTiles() {
  const now = Math.floor(Date.now() / 1000);
  for (const kind of [all, ...kinds.values()]) {
    kind.recent = kind.recent.filter(([second]) => second >= now - RATE_SECONDS);
    const n = kind.recent.filter(([second]) => second < now).reduce((sum, [, k]) => sum + k, 0);
    kind.value.textContent = kind.total.toLocaleString();
    kind.rate.textContent = `${(n / RATE_SECONDS).toFixed(1)} / s`;
  }
}

function showVehicleList(sorted) {
  const list = $("vehicle");
  const texts = sorted.map((vehicle) => `${vehicle.id} ${vehicle.name}`).join("\n");
  if (list.dataset.texts === texts) return;
  list.dataset.texts = texts;
  list.replaceChildren(new Option("All vehicles", ""),
    ...sorted.map((vehicle) => new Option(vehicle.name, String(vehicle.id))));
  list.value = selected === null ? "" : String(selected);
}

function fleetRow(vehicle) {
  const made = element("tr");
  const name = element("td");
  const button = element("button", "", vehicle.name);
  const swatch = element("span", "swatch");
  button.type = "button";
  swatch.style.setProperty("--tile", vehicle.colour);
  name.append(swatch, button);
  made.append(name, element("td", "num"), element("td", "num"), element("td", "num"));
  made.addEventListener("click", () => select(selected === vehicle.id ? null : vehicle.id));
  vehicle.row = made;
  vehicle.button = button;
  return made;
}

function showFleet(sorted) {
  const body = $("fleet");
  const shown = sorted.slice(0, 200);
  for (const vehicle of shown) {
    const made = vehicle.row ?? fleetRow(vehicle);
    vehicle.button.textContent = vehicle.name;
    vehicle.button.setAttribute("aria-pressed", String(vehicle.id === selected));
    made.children[1].textContent = fixed(vehicle.log.speed, 1, " m/s");
    made.children[2].textContent = fixed(vehicle.log.battery_voltage, 1, " V");
    made.children[3].textContent = ago(vehicle.seen);
    made.classList.toggle("selected", vehicle.id === selected);
    made.classList.toggle("stale", Date.now() - vehicle.seen > 60000);
  }
  const rows = shown.map((vehicle) => vehicle.row);
  if (rows.length !== body.children.length || rows.some((made, i) => body.children[i] !== made)) {
    const focused = document.activeElement;
    body.replaceChildren(...rows);
    if (body.contains(focused)) focused.focus();
  }
  $("fleet-empty").hidden = rows.length > 0;
}

function showDetail() {
  const detail = $("detail");
  const vehicle = vehicles.get(selected);
  if (!vehicle) {
    detail.replaceChildren();
    return;
  }
  const { log } = vehicle;
  const place = vehicle.trail[vehicle.trail.length - 1];
  const pairs = [
    ["Position", place ? `${place.latitude.toFixed(5)}, ${place.longitude.toFixed(5)}` : "–"],
    ["Speed", fixed(log.speed, 1, " m/s")],
    ["Heading", fixed(vehicle.heading, 0, "°")],
    ["Battery", `${fixed(log.battery_voltage, 1, " V")}, ${fixed(log.battery_current, 1, " A")}`],
    ["Signal", fixed(log.rssi, 0, " dBm")],
    ["Mode", `${log.mode ?? "–"}${log.armed ? ", armed" : ""}`],
  ];
  if (detail.children.length === 0) {
    detail.append(...pairs.map(([name]) => {
      const pair = element("div");
      pair.append(element("dt", "", name), element("dd"));
      return pair;
    }));
  }
  pairs.forEach(([, value], i) => { detail.children[i].lastChild.textContent = value; });
}

function showMap(sorted) {
  const placed = sorted.filter((vehicle) => vehicle.trail.length > 0).length;
  const note = `${placed} of ${sorted.length} ${sorted.length === 1 ? "vehicle has" : "vehicles have"} a position`;
  if ($("map-note").textContent !== note) {
    $("map-note").textContent = note;
    $("map").setAttribute("aria-label", `Map of the latest vehicle positions: ${note}`);
  }
  map.draw(sorted, selected);
}

function select(id) {
  selected = id;
  $("vehicle").value = id === null ? "" : String(id);
  restartLog();
  isChanged = true;
  showAll();
}

/* Another filter begins with an empty table: what was filtered away was not kept. */
function restartLog() {
  $("rows").replaceChildren();
  $("log-empty").hidden = false;
  $("log-empty").textContent = "Waiting for the next message…";
  $("log-scroll").scrollTop = 0;
}

function showAll() {
  if ($("live").hidden || document.hidden) return;
  const sorted = [...vehicles.values()].sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  showTiles();
  showLog();
  showVehicleList(sorted);
  showFleet(sorted);
  showDetail();
  if (isChanged) showMap(sorted);
  isChanged = false;
}

function resume() {
  isPaused = false;
  $("pause").setAttribute("aria-pressed", "false");
  $("pause").textContent = "Pause";
  $("log-scroll").scrollTop = 0;
  showLog();
}

/* ---- start ---- */

function start() {
  connection.attempts = 0;
  show(session.token ? "live" : "none");
  connection.open();
}

$("login-form").addEventListener("submit", signIn);
$("sign-out").addEventListener("click", () => askToSignIn(""));
$("vehicle").addEventListener("change", (event) => select(event.target.value ? Number(event.target.value) : null));
$("kind").addEventListener("change", restartLog);
$("resume").addEventListener("click", resume);
$("pause").addEventListener("click", () => {
  if (isPaused) {
    resume();
    return;
  }
  isPaused = true;
  $("pause").setAttribute("aria-pressed", "true");
  $("pause").textContent = "Resume";
});
window.addEventListener("online", () => {
  if (!connection.socket && (session.token || session.isAnonymous)) connection.open();
});
window.addEventListener("resize", () => { isChanged = true; });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { isChanged = true; });
document.addEventListener("visibilitychange", showAll);
setInterval(showAll, 250);

forgetFleet();
start();
