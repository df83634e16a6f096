import { command, type Command, type CommandOptions, type Order } from "./command.js";
import { Lost, webSocket, type Ask, type Link, type Peer, type SocketMaker, type Transport } from "./link.js";
import { guarded, refusal, Refused, Subscription, type Carrier, type Filter, type Handlers, type Told } from "./subscription.js";
import type { Answer, Push, Welcome } from "./wire.js";

export interface Options {
  /** Where the gateway is: `https://gateway.example/`, or with the prefix that it lies under. */
  url: string | URL;
  /** A token that is good now. Asked for once at a time, before the one of before ends. undefined: a guest; null: signed out. */
  token?: () => string | null | undefined | Promise<string | null | undefined>;
  /** What is used while WebSocket does not get through, in this order: `[events(), poll()]` of `@tidegate/client/fallback`. */
  fallback?: Transport[];
  /** In place of the WebSocket that there is: `tabs()` of `@tidegate/client/tabs`, or that of `ws` in Node. */
  WebSocket?: SocketMaker;
}

export interface Connection {
  /** `closed`: by us, or by the gateway for good: `code` and `reason` say why. */
  readonly state: "connecting" | "live" | "polling" | "closed";
  readonly transport?: string;
  /** As that of a WebSocket (docs/protocol.md, section 4), of the end before. */
  readonly code?: number;
  readonly reason?: string;
  readonly user?: Welcome["user"];
}

const FALLBACK_MS = 3_000;
const BACKOFF_MS = 1_000;
const BACKOFF_MAX_MS = 30_000;
/** What is left of a token when another one is asked for: a fifth of it, and no more than this, ms. One that has
 * not come in that time does not come any more. */
const TOKEN_MS = 30_000;
/** How often the clock is looked at, ms: where it has gone on by more than twice that, the machine slept. */
const LOOK_MS = 5_000;
const BAD_TOKEN = 4001;
const TOKEN_EXPIRED = 4202;

type Timer = ReturnType<typeof setTimeout> | undefined;

export class Client implements Carrier, Peer {
  /** @internal */
  declare readonly base: URL;
  #options: Options;
  #transports: Transport[];
  #links: (Link | undefined)[] = [];
  #retries: Timer[] = [];
  #active: Link | undefined;
  #subs = new Set<Subscription>();
  #waiting: ((link: Link | Promise<Link>) => void)[] = [];
  #connection: Connection = { state: "connecting" };
  #listeners = new Set<(connection: Connection) => void>();
  #tries = 0;
  #fall: Timer;
  #token: string | null | undefined;
  #goodUntil = 0; /* of the token, by Date.now(): it goes on while a machine sleeps */
  #asked: Promise<string | null | undefined> | undefined;
  #isFresh = false; /* the token was asked for after the gateway had refused one */
  #renewal: Timer;
  #look: Timer;
  #ended = new AbortController(); /* of listeners to the page */

  constructor(options: Options) {
    const Maker = options.WebSocket ?? (globalThis.WebSocket as unknown as SocketMaker | undefined);

    this.#options = options;
    this.#transports = [...(Maker ? [webSocket(Maker)] : []), ...(options.fallback ?? [])];
    if (!this.#transports[0]) throw Error("no WebSocket");
    this.base = new URL(`${options.url}`.replace(/\/*$/, "/"), globalThis.location?.href);
    this.#watch();
    this.#wake();
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** @return what ends it */
  onConnection(listener: (connection: Connection) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  subscribe(filter: Filter, handlers: Handlers = {}): Subscription {
    return this.add(new Subscription(this, filter, handlers));
  }

  /** An order to a device. It is given once, however often the connection breaks. */
  command(order: Order, options?: CommandOptions): Command {
    return command(this, order, options);
  }

  /** Asks the gateway, as soon as there is a connection, and again where it broke before the answer: what is
   * asked has to bear that. */
  async ask(request: Ask): Promise<Answer> {
    for (;;) {
      try {
        return await (await this.#live()).ask(request);
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
      }
    }
  }

  /** fetch() of a path below the gateway's address (`api/devices`), as who is signed in. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const once = async (): Promise<Response> => {
      const headers = new Headers(init.headers);
      const token = await this.token();

      if (token) headers.set("Authorization", `Bearer ${token}`);
      return fetch(new URL(path, this.base), { ...init, headers });
    };
    const answer = await once();

    if (answer.status !== 401 || !this.#options.token) return answer;
    this.#goodUntil = 0;
    return once();
  }

  /** Comes back after the gateway has closed for good: somebody has signed in anew. */
  connect(): void {
    this.#goodUntil = 0;
    this.#isFresh = false;
    if (!this.#active) this.#show({ state: "connecting" });
    this.#wake();
  }

  close(): void {
    this.#ended.abort();
    clearInterval(this.#look);
    this.#end(1000, "");
  }

  /* ---- of subscriptions: Carrier ---- */

  /** @internal */
  add<S extends Subscription>(sub: S): S {
    this.#subs.add(sub);
    this.#active?.subscribe(sub);
    return sub;
  }

  /** @internal */
  remove(sub: Subscription): void {
    if (this.#subs.delete(sub)) this.#active?.unsubscribe(sub);
  }

  /** @internal */
  change(sub: Subscription): void {
    this.#active?.move(sub);
  }

  /* ---- the token ---- */

  /** One that is good, asked for once at a time. @internal */
  async token(): Promise<string | null | undefined> {
    if (this.#token && Date.now() < this.#goodUntil) return this.#token;
    return (this.#asked ??= (async () => {
      let late: Timer;
      try {
        this.#token = await Promise.race([
          this.#options.token?.(),
          new Promise<null>((_, fail) => (late = setTimeout(fail, TOKEN_MS, Error("no token")))),
        ]);
        this.#goodUntil = Infinity; /* until a welcome says how long */
      } finally {
        clearTimeout(late);
        this.#asked = undefined;
      }
      if (this.#token === null) this.#end(BAD_TOKEN, "signed out");
      return this.#token;
    })());
  }

  #expires(seconds: number | null | undefined): void {
    if (seconds == null || !this.#token) return;
    const ms = seconds * 1000 - Math.min(TOKEN_MS, seconds * 200);
    this.#goodUntil = Date.now() + ms;
    this.#renewLater(Math.min(ms, 1e9)); /* a timer can wait for some days */
  }

  #renewLater(ms: number): void {
    clearTimeout(this.#renewal);
    this.#renewal = setTimeout(() => this.#renew(), ms);
  }

  async #renew(): Promise<void> {
    const link = this.#active;

    this.#goodUntil = 0;
    try {
      const token = await this.token();
      if (token && link && link === this.#active)
        this.#expires((await link.ask({ op: "refresh", token })).expires_in);
    } catch {
      /* it may go better a little later, and if not the gateway ends it; who has none asks as it comes back */
      if (this.#active) this.#renewLater(BACKOFF_MS + Math.random() * BACKOFF_MS);
    }
  }

  /* ---- the connection ---- */

  #show(connection: Connection): void {
    this.#connection = connection;
    for (const listener of this.#listeners) guarded(() => listener(connection));
  }

  /* Other ways than the first are tried while there is none. */
  #open(at: number): void {
    if (this.#connection.state === "closed" || this.#links[at] || (at && this.#active)) return;
    this.#links[at] = this.#transports[at]?.(this);
  }

  #fallLater(): void {
    clearTimeout(this.#fall);
    this.#fall = setTimeout(() => this.#open(1), FALLBACK_MS);
  }

  /** @internal */
  opened(link: Link, welcome: Partial<Welcome>): void {
    const at = this.#links.indexOf(link);

    if (at < 0) return;
    this.#active = link;
    this.#tries = 0;
    this.#isFresh = false;
    for (const worse of this.#links.splice(at + 1)) worse?.close();
    this.#expires(welcome.expires_in);
    this.#show({
      state: link.transport === "poll" ? "polling" : "live",
      transport: link.transport,
      user: welcome.user,
    } as Connection);
    for (const sub of this.#subs) link.subscribe(sub);
    for (const settle of this.#waiting.splice(0)) settle(link);
  }

  /** @internal */
  closed(link: Link, code: number, reason: string): void {
    let at = this.#links.indexOf(link);
    const wasActive = link === this.#active;

    if (at < 0) return;
    delete this.#links[at];
    if (wasActive) {
      this.#active = undefined;
      clearTimeout(this.#renewal);
      this.#fallLater();
      this.#show({ state: "connecting", code, reason });
    }
    if (code === BAD_TOKEN || code === TOKEN_EXPIRED) this.#goodUntil = 0;
    if (code === BAD_TOKEN && this.#options.token && !this.#isFresh) this.#isFresh = true;
    else if (code >= BAD_TOKEN && code < 4100) return this.#end(code, reason);

    const isInvited = code === BAD_TOKEN || (code >= 4200 && wasActive);
    const limit = isInvited ? BACKOFF_MS : Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.#tries);

    if (!at) this.#tries++;
    else if (this.#active) return;
    else if (!wasActive || code <= 1000) at = (at % (this.#transports.length - 1)) + 1;
    clearTimeout(this.#retries[at]);
    this.#retries[at] = setTimeout(() => this.#open(at), Math.random() * limit);
  }

  #end(code: number, reason: string): void {
    this.#rest();
    this.#show({ state: "closed", code, reason });
    for (const settle of this.#waiting.splice(0)) settle(this.#live());
  }

  async #live(): Promise<Link> {
    if (this.#connection.state === "closed") throw refusal("closed", this.#connection.reason!);
    return this.#active ?? new Promise((resolve) => this.#waiting.push(resolve));
  }

  /* ---- what comes ---- */

  /** @internal */
  heard(link: Link, told: Told, subs?: Iterable<Subscription>): void {
    if (link !== this.#active) return;
    for (const sub of subs ?? this.#subs)
      if (told.subscription ? subs || sub.name === told.subscription : told.type === "progress") sub.tell(told);
      else if (!told.subscription && told.subscriptions?.includes(sub.name!) !== false) sub.hear(told as unknown as Push);
  }

  /** @internal */
  refused(link: Link, sub: Subscription, error: Error): void {
    if (link !== this.#active || !this.#subs.has(sub) || !(error instanceof Refused)) return;
    if (error.retry || error.code === "token_expired") {
      setTimeout(() => link === this.#active && this.#subs.has(sub) && link[sub.name ? "move" : "subscribe"](sub), BACKOFF_MS);
    } else {
      sub.refuse(error); /* what a move was refused for goes on there as it was, until it is unsubscribed */
    }
  }

  /* ---- sleep and waking ---- */

  #watch(): void {
    /* Of the document's events, too, which not every browser lets come up to its window. */
    const on = (names: string, run: () => void): void => {
      for (const name of names.split(" ")) addEventListener(name, run, { capture: true, signal: this.#ended.signal });
    };
    let looked = Date.now();

    if (!globalThis.document) return;
    /* Timers stand still while a machine sleeps, and not each that wakes says so: its clock has gone on. */
    this.#look = setInterval(() => {
      if (Date.now() - looked > 2 * LOOK_MS) this.#wake();
      looked = Date.now();
    }, LOOK_MS);
    on("online offline pageshow resume", this.#wake);
    on("pagehide freeze", () => this.#rest());
    on("visibilitychange", () => document.hidden || this.#wake());
  }

  /* Nothing is open from here on: a page that has a socket is not kept for the way back, either. */
  #rest(): void {
    const links = this.#links.splice(0);

    for (const timer of [this.#fall, this.#renewal, ...this.#retries]) clearTimeout(timer);
    this.#active = undefined;
    for (const link of links) link?.close();
  }

  /* Both at once: a socket may have died without a word, and what is resumed waits for the token, as with a stale one it is refused. */
  readonly #wake = (): void => {
    if (this.#connection.state === "closed") return;
    this.#tries = 0;
    if (!this.#active) {
      this.#open(0);
      return this.#fallLater();
    }
    this.#active.check();
    if (this.#token && Date.now() >= this.#goodUntil) this.#renew();
  };
}
