/** The same stream where WebSocket does not get through: by an event stream, or by long polls. */
import { ANSWER_MS, CHECK_MS, Lost, type Ask, type Link, type Peer, type Transport } from "./link.js";
import { refusal, Refused, type Subscription, type Told } from "./subscription.js";
import type { Answer } from "./wire.js";

/** A browser has six connections for a server, and a gateway five for a user: some are left for what else a page asks. */
const MOST = 4;
/** The gateway says something each 15 s. */
const SILENCE_MS = 40_000;
const WAIT_S = 25;
/** Whoever wakes and has heard nothing for longer asks anew: that another request gets through says nothing of this one. */
const OLD_MS = 26_000;
/** Where more poll than may at a time. */
const SHORT_WAIT_S = 1;
/** A stream of which nothing arrives in this time is held back on its way. */
const FIRST_MS = 5_000;

const REVOKED = 4004;

class Ended extends Error {
  constructor(readonly code: number, reason: string) {
    super(reason);
  }
}

const CODES: Record<number, number> = { 401: 4001, 403: 4002, 429: 4100, 503: 4100 };

/** Throws Refused where the question is at fault, and Ended where the connection is. */
async function get(peer: Peer, path: string, init: RequestInit = {}): Promise<Response> {
  const token = await peer.token();
  const headers = { Accept: "application/json", ...(token && { Authorization: `Bearer ${token}` }), ...init.headers };
  const response = await fetch(new URL(path, peer.base), { cache: "no-store", credentials: "omit", ...init, headers });

  if (response.ok) return response;
  const problem = await response.json().catch(() => ({})) as { code?: string; detail?: string };
  const words = problem.detail ?? `${response.status}`;
  if ([400, 404, 409, 422].includes(response.status) || (init.method && response.status === 403))
    throw refusal(problem.code ?? "bad_request", words);
  throw new Ended(CODES[response.status] ?? 1006, words);
}

function query(path: string, asked: Record<string, unknown>): string {
  const params = new URLSearchParams();

  for (const [name, value] of Object.entries(asked))
    if (value != null) params.set(name, value === true ? "1" : String(value));
  return `${path}?${params}`;
}

/** When something came of a request last, by a clock that goes on while a machine sleeps. */
const seen = new WeakMap<AbortController, number>();

/** What sets the time, in place of the one who reads. */
function watchdog(controller: AbortController, most: number): (ms?: number) => void {
  let timer: ReturnType<typeof setTimeout> | undefined;

  controller.signal.addEventListener("abort", () => clearTimeout(timer));
  return (ms = most) => {
    seen.set(controller, Date.now());
    clearTimeout(timer);
    timer = setTimeout(() => controller.abort(new Ended(1006, "silent")), ms);
  };
}

/** The lines of an event stream as events. */
async function* read(body: ReadableStream<Uint8Array>, alive: () => void): AsyncGenerator<[type: string, data: string]> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  let type = "";
  let data: string[] = [];

  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    const lines = (rest + value).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const [, name, text] = /^(\w*):? ?(.*?)\r?$/.exec(line) ?? [];
      if (name === "event") type = text!;
      else if (name === "data") data.push(text!);
      else if (line.trim() === "") {
        if (data.length > 0) yield [type, data.join("\n")];
        [type, data] = ["", []];
      }
    }
  }
}

function goesOn(type: string, data: string): void {
  if (type !== "close") return;
  const { code, reason } = JSON.parse(data) as { code: number; reason: string };
  throw new Ended(code, reason);
}

async function follow(link: Link, peer: Peer, sub: Subscription, controller: AbortController): Promise<void> {
  const alive = watchdog(controller, SILENCE_MS);

  alive(FIRST_MS); /* it may have been given a connection that died while the machine slept */
  const response = await get(peer, query("api/events", sub.ask()),
    { signal: controller.signal, headers: { Accept: "text/event-stream" } });
  for await (const [type, data] of read(response.body!, alive)) {
    /* Who is not welcome any more is told so when he asks again, and so is who asks for what is gone or another's. */
    if (type === "close" && JSON.parse(data).code === REVOKED) return follow(link, peer, sub, controller);
    goesOn(type, data);
    const told = JSON.parse(data) as Told & Answer;
    if (type === "subscribed") sub.answered(told);
    else peer.heard(link, told, [sub]);
  }
  throw new Ended(1006, "the stream has ended");
}

/** So many at a time, the others in turn. */
class Turns {
  #n = 0;
  #waiting: (() => void)[] = [];

  get areShort(): boolean {
    return this.#waiting.length > 0;
  }

  async during<T>(run: () => Promise<T>): Promise<T> {
    if (this.#n < MOST) this.#n += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await run();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#n -= 1;
    }
  }
}

type Run = (link: Link, peer: Peer, sub: Subscription, controller: AbortController) => Promise<void>;

const ask = (turns: Turns): Run => async (link, peer, sub, controller) => {
  const { signal } = controller;
  const alive = watchdog(controller, SILENCE_MS);
  const asked = sub.ask();

  for (let isFirst = true; !signal.aborted; isFirst = false) {
    const response = await turns.during(() => {
      const wait = isFirst ? 0 : turns.areShort ? SHORT_WAIT_S : WAIT_S;
      alive(isFirst ? ANSWER_MS : SILENCE_MS);
      return get(peer, query("api/events/poll", { ...asked, gone: sub.view().gone, since: sub.cursor, set: sub.set, wait }), { signal });
    });

    alive(); /* all that there is may take longer to come than to begin */
    const body = response.status === 204
      ? { events: [], cursor: response.headers.get("Tidegate-Cursor") ?? sub.cursor, recovered: true }
      : await response.json() as { events: Told[]; cursor: string; recovered: boolean; set?: string };

    if (isFirst || !body.recovered)
      sub.answered({ id: null, ok: true, subscription: "poll", recovered: body.recovered, cursor: sub.cursor ?? null });
    for (const told of body.events) peer.heard(link, told, [sub]);
    peer.heard(link, { ...body, type: "progress", timestamp: new Date().toISOString() } as Told, [sub]);
  }
};

/* A proxy that holds a stream back until it ends would have us wait for ever; and a gateway that cannot take us now says so in
 * a stream, too. */
async function flows(peer: Peer): Promise<void> {
  const controller = new AbortController();
  const alive = watchdog(controller, FIRST_MS);

  alive();
  try {
    const response = await get(peer, "api/events?to=alerts", { signal: controller.signal, headers: { Accept: "text/event-stream" } });
    for await (const event of read(response.body!, alive)) return goesOn(...event);
    throw new Ended(1006, "the stream has ended");
  } finally {
    controller.abort();
  }
}

async function answers(peer: Peer, ms = FIRST_MS): Promise<void> {
  const controller = new AbortController();

  watchdog(controller, ms)();
  try {
    await get(peer, "api/ws/status", { signal: controller.signal });
  } finally {
    controller.abort();
  }
}

async function order(peer: Peer, request: Ask): Promise<Answer> {
  if (request.op === "command") {
    const { device, op: _, ...body } = request;
    const response = await get(peer, `api/devices/${encodeURIComponent(device)}/commands`,
      { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    return { id: null, ok: true, ...await response.json() as object };
  }
  if (request.op === "cancel") {
    const response = await get(peer, `api/commands/${encodeURIComponent(request.command_id)}`, { method: "DELETE" });
    return { id: null, ok: true, ...await response.json() as object };
  }
  return { id: null, ok: true }; /* each request brings the token of now */
}

function overHttp(transport: string, most: number, isUp: (peer: Peer) => Promise<void>, run: Run): Transport {
  return (peer) => {
    const running = new Map<Subscription, AbortController>();
    let isOver = false;

    const end = (code: number, reason: string): void => {
      if (isOver) return;
      isOver = true;
      for (const controller of running.values()) controller.abort();
      peer.closed(link, code, reason);
    };
    const failed = (error: Error): void => error instanceof Ended ? end(error.code, error.message) : end(1006, error.message);
    const link: Link = {
      transport,
      subscribe(sub) {
        const controller = new AbortController();

        link.unsubscribe(sub);
        if (running.size >= most) return end(1000, "too many subscriptions for this way");
        running.set(sub, controller);
        run(link, peer, sub, controller).catch((error: Error) => {
          if (running.get(sub) !== controller || isOver) return;
          running.delete(sub);
          if (error instanceof Refused) peer.refused(link, sub, error);
          else failed(error);
        });
      },
      unsubscribe(sub) {
        running.get(sub)?.abort();
        running.delete(sub);
      },
      move: (sub) => link.subscribe(sub),
      ask: (request) => order(peer, request).catch((error) => {
        throw error instanceof Refused ? error : new Lost();
      }),
      check() {
        for (const [sub, controller] of [...running]) if (Date.now() - (seen.get(controller) ?? NaN) > OLD_MS) link.subscribe(sub);
        answers(peer, CHECK_MS).catch(failed);
      },
      close: () => end(1000, ""),
    };

    isUp(peer).then(() => isOver || peer.opened(link, {}), failed);
    return link;
  };
}

/** By `GET /api/events`, one stream a subscription. */
export const events = (): Transport => overHttp("events", MOST, flows, follow);
/** By `GET /api/events/poll`, four at a time. */
export const poll = (): Transport => overHttp("poll", Infinity, answers, ask(new Turns()));
