/**
 * One socket for all tabs of a browser: `new Client({ url, token, WebSocket: tabs() })`.
 *
 * A shared worker has it or, where there is none, the tab that holds a lock of the browser: when that one goes the next
 * gets the lock, and the others come back with their cursors. What a tab has looks like a WebSocket, and its hub like
 * the gateway. Tabs of two users have two.
 */
import { Hub, SIGN_MS, type Note } from "./hub.js";
import type { Socket, SocketMaker } from "./link.js";

/** From a tab to the hub of its user. */
type Post = (note: Note) => void;
/** A socket of this page, which hears what its hub says. */
interface Ear {
  readonly key: string;
  hear(note: Note): void;
}

const ears = new Set<Ear>();
const WORKER_MS = 3_000;
/** A tab looks so often whether the worker is there. */
const BEAT_MS = 5_000;
/** What has come while a page was busy is read first. */
const SPARE_MS = 100;

/* Which user a token is of; tokens are JWTs, and of others each is a user of its own. */
function subjectOf(token: string): string {
  try {
    const { iss, sub, tidegate_uid } = JSON.parse(atob(token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/")));
    return JSON.stringify([iss, sub, tidegate_uid]);
  } catch {
    return token.slice(-12);
  }
}

/* One port for all of this page; undefined where the worker does not come up. */
let worker: Promise<MessagePort | undefined> | undefined;

function workerPort(): Promise<MessagePort | undefined> {
  return (worker ??= new Promise((resolve) => {
    if (!("SharedWorker" in globalThis)) return resolve(undefined);
    setTimeout(() => resolve(undefined), WORKER_MS);
    try {
      const shared = new SharedWorker(new URL("./tabs-worker.js", import.meta.url), { type: "module" });
      shared.onerror = () => resolve(undefined);
      shared.port.onmessage = ({ data }: MessageEvent<Note>) => {
        if (data.here) resolve(shared.port);
        else for (const ear of ears) ear.hear(data);
      };
      shared.port.addEventListener("close", lose);
    } catch {
      resolve(undefined);
    }
  }));
}

/* The process that had the worker is gone: another one is started when somebody asks for it. */
function lose(): void {
  worker = undefined;
  for (const ear of [...ears]) ear.hear({ here: true });
}

/* By key: one channel of this page, which also waits for the lock. */
const channels = new Map<string, BroadcastChannel>();

function byLock(key: string): Post {
  const name = `tidegate ${key}`;
  let channel = channels.get(key);

  if (!channel) {
    channel = new BroadcastChannel(name);
    channels.set(key, channel);
    channel.onmessage = ({ data }: MessageEvent<Note>) => {
      for (const ear of ears) if (ear.key === key) ear.hear(data);
    };
    void navigator.locks.request(name, () => new Promise<void>((release) => lead(key, name, release)));
  }
  return (note) => channel.postMessage(note);
}

/* Has the socket until the page goes. A channel does not hear what it says itself: the hub has one of its own. */
function lead(key: string, name: string, release: () => void): void {
  const own = new BroadcastChannel(name);
  const hub = new Hub((note) => own.postMessage(note), WebSocket as unknown as SocketMaker);
  const stop = (): void => {
    hub.stop();
    own.close();
    channels.get(key)?.close();
    channels.delete(key);
    release();
  };

  own.onmessage = ({ data }: MessageEvent<Note>) => hub.hear(data);
  own.postMessage({ here: true });
  addEventListener("pagehide", stop, { once: true });
  document.addEventListener("freeze", stop, { once: true });
}

class TabSocket implements Socket {
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  onerror: Socket["onerror"] = null;
  #name = crypto.randomUUID();
  #open: NonNullable<Note["open"]>;
  #road: Post | undefined;
  #ear: Ear | undefined;
  #isWelcome = false;
  #isWatched = false;
  #early: string[] = [];
  #auth = "";
  #signs: ReturnType<typeof setInterval> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(url: string, protocols: string[]) {
    this.#open = { url, protocols };
    /* Who it is for is known as soon as it has said so, or has not. */
    queueMicrotask(() => {
      this.onopen?.(undefined as never);
      void this.#begin();
    });
  }

  async #begin(): Promise<void> {
    const subject = this.#auth ? subjectOf(JSON.parse(this.#auth).token) : "guest";
    const key = `${this.#open.url} ${subject}`;
    const port = await workerPort();

    if (this.#isOver) return;
    this.#ear = { key, hear: (note) => this.#hear(note) };
    ears.add(this.#ear);
    this.#road = port ? (note) => port.postMessage({ key, note }) : byLock(key);
    this.#signs = setInterval(this.#sign, port ? BEAT_MS : SIGN_MS);
    this.#isWatched = !!port;
    document.addEventListener("visibilitychange", this.#sign);
    this.#greet();
    this.#watch();
  }

  #sign = (): void => {
    this.#post({});
    this.#watch();
  };

  /* A worker that crashed, or hangs, says nothing any more; a tab that has the lock goes with it. */
  #watch(): void {
    if (!this.#isWatched) return;
    this.#silence ??= setTimeout(() => {
      this.#silence = setTimeout(() => (lose(), this.#end(4200, "the worker is gone")), SPARE_MS);
    }, WORKER_MS);
  }

  #isHeard(): void {
    clearTimeout(this.#silence);
    this.#silence = undefined;
  }

  #post(note: Note): void {
    this.#road?.({ ...note, tab: this.#name });
  }

  #greet(): void {
    this.#post({ open: this.#open });
    if (this.#auth) this.#post({ send: this.#auth });
    for (const send of this.#early) this.#post({ send });
  }

  #hear(note: Note): void {
    if (note.here) {
      if (this.#isWelcome) this.#end(4200, "another tab has the socket now");
      else this.#greet();
    }
    if (note.tab !== this.#name) return;
    this.#isHeard();
    if (note.data) {
      this.#isWelcome = true;
      this.onmessage?.({ data: note.data });
    }
    if (note.closed) this.#end(note.closed.code, note.closed.reason);
  }

  #end(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#signs);
    this.#isHeard();
    document.removeEventListener("visibilitychange", this.#sign);
    if (this.#ear) ears.delete(this.#ear);
    this.onclose?.({ code, reason });
  }

  send(data: string): void {
    if (!this.#auth && JSON.parse(data).op === "auth") this.#auth = data;
    else if (!this.#road) this.#early.push(data);
    if (this.#road) this.#post({ send: data });
  }

  close(): void {
    this.#post({ bye: true });
    this.#end(1000, "");
  }
}

/** Where the page did not come by HTTPS (nor from this machine) a browser has no locks: a socket a tab, as ever. */
export const tabs = (): SocketMaker => (globalThis.isSecureContext ? TabSocket : globalThis.WebSocket as unknown as SocketMaker);
