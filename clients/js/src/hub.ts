import type { Socket, SocketMaker } from "./link.js";

/** What goes between a tab and the hub that has the socket. @internal */
export interface Note {
  /** The tab that says it, or that it is for. */
  tab?: string;
  /** To the hub: where to, at first; what to send; that the tab goes. */
  open?: { url: string; protocols: string[] };
  send?: string;
  bye?: true;
  /** To a tab: what came; the end. To all: there is another hub. */
  data?: string;
  closed?: { code: number; reason: string };
  here?: true;
  /** To a tab that has opened, or has said that it is there: it was heard. */
  heard?: true;
}

/** A hub looks so often who is there, and tabs say it, ms; a hidden one is allowed a timer a minute. */
export const SIGN_MS = 20_000;
const GONE_MS = 150_000;
/** A tab gives up a socket of which nothing came after 10 s; it may have been asked for a little before. */
const WELCOME_MS = 8_000;
const SILENT = { code: 1006, reason: "silent" };
const RESTART = { code: 4200, reason: "the socket of all tabs is another one" };

interface Tab {
  /** The tab's ids, by the hub's. */
  asked: Map<number, unknown>;
  names: Set<string>;
  seen: number;
  isGreeted: boolean;
  /** How much had come when it asked whether the other side is there. */
  asks?: number;
}

/** Has the one socket of one user: to the gateway it is a client, to its tabs the gateway. @internal */
export class Hub {
  #tabs = new Map<string, Tab>();
  #socket: Socket | undefined;
  #isOpen = false;
  #early: string[] = [];
  #welcome: { message: Record<string, unknown>; at: number } | undefined;
  #n = 0;
  #isAuthSent = false;
  #nHeard = 0;
  #since = 0; /* when it was asked for */
  #say: (note: Note) => void;
  #Maker: SocketMaker;
  #timer: ReturnType<typeof setInterval>;

  constructor(say: (note: Note) => void, Maker: SocketMaker) {
    this.#say = say;
    this.#Maker = Maker;
    this.#timer = setInterval(() => this.#sweep(), SIGN_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#closed(RESTART);
  }

  hear({ tab: name, open, send, bye }: Note): void {
    const tab = this.#tabs.get(name!);

    if (open) {
      this.#say({ tab: name!, heard: true });
      this.#tabs.set(name!, { asked: new Map(), names: new Set(), seen: Date.now(), isGreeted: false });
      if (!this.#socket) this.#connect(open);
      else if (this.#welcome) this.#greet(name!);
    } else if (!tab) {
      if (!bye) this.#say({ tab: name!, closed: RESTART });
    } else if (bye) {
      if (this.#isDead(tab)) this.#closed(SILENT); /* nobody is to be given this one */
      else this.#forget(name!, tab);
    } else {
      tab.seen = Date.now();
      if (send) this.#pass(tab, JSON.parse(send));
      else this.#say({ tab: name!, heard: true });
    }
  }

  /* One that goes has found it so if nothing came behind its own question, or ever; of what others ask it knows nothing. */
  #isDead({ asks }: Tab): boolean {
    return this.#welcome ? asks === this.#nHeard : Date.now() - this.#since > WELCOME_MS;
  }

  #connect({ url, protocols }: NonNullable<Note["open"]>): void {
    const socket = new this.#Maker(url, protocols);

    this.#since = Date.now();
    this.#socket = socket;
    socket.onerror = () => {};
    socket.onopen = () => {
      this.#isOpen = true;
      for (const text of this.#early.splice(0)) socket.send(text);
    };
    socket.onmessage = ({ data }) => this.#take(data as string);
    socket.onclose = (event) => this.#closed(event);
  }

  #closed({ code, reason }: { code: number; reason: string }): void {
    const socket = this.#socket;

    this.#socket = this.#welcome = undefined;
    this.#isOpen = this.#isAuthSent = false;
    this.#early = [];
    if (socket) socket.onmessage = socket.onclose = null;
    socket?.close();
    for (const tab of this.#tabs.keys()) this.#say({ tab, closed: { code, reason } });
    this.#tabs.clear();
  }

  #ask(message: object): void {
    const text = JSON.stringify(message);

    if (this.#isOpen) this.#socket!.send(text);
    else this.#early.push(text);
  }

  /* All tabs of a hub are of one user: the first says who. */
  #pass(tab: Tab, message: { id?: unknown; op: string; subscription?: string }): void {
    const id = ++this.#n;

    if (message.op === "auth") {
      if (this.#isAuthSent) return;
      this.#isAuthSent = true;
      return this.#ask(message);
    }
    if (message.op === "ping") tab.asks = this.#nHeard;
    if (message.op === "unsubscribe") tab.names.delete(message.subscription!);
    tab.asked.set(id, message.id);
    this.#ask({ ...message, id });
  }

  #greet(name: string): void {
    const { message, at } = this.#welcome!;
    const left = message.expires_in as number | null;
    const tab = this.#tabs.get(name)!;

    if (tab.isGreeted) return;
    tab.isGreeted = true;
    const expires_in = left && Math.max(0, left - Math.round((Date.now() - at) / 1000));
    this.#say({ tab: name, data: JSON.stringify({ ...message, expires_in }) });
  }

  #take(text: string): void {
    const message = JSON.parse(text);

    this.#nHeard += 1;
    if (message.type === "welcome") {
      this.#welcome = { message, at: Date.now() };
      for (const name of this.#tabs.keys()) this.#greet(name);
    } else if ("ok" in message) {
      this.#answer(message);
    } else {
      const names: string[] | undefined = message.subscription ? [message.subscription] : message.subscriptions;
      for (const [name, tab] of this.#tabs)
        if (!names || names.some((one) => tab.names.has(one))) this.#say({ tab: name, data: text });
    }
  }

  #answer(message: { id: number; subscription?: string; expires_in?: number | null }): void {
    if (this.#welcome && "expires_in" in message)
      this.#welcome = { message: { ...this.#welcome.message, expires_in: message.expires_in }, at: Date.now() };
    for (const [name, tab] of this.#tabs) {
      if (!tab.asked.has(message.id)) continue;
      const id = tab.asked.get(message.id);
      tab.asked.delete(message.id);
      if (message.subscription) tab.names.add(message.subscription);
      this.#say({ tab: name, data: JSON.stringify({ ...message, id }) });
      return;
    }
    if (message.subscription) this.#ask({ op: "unsubscribe", id: 0, subscription: message.subscription });
  }

  #forget(name: string, tab: Tab): void {
    this.#tabs.delete(name);
    for (const subscription of tab.names) this.#ask({ op: "unsubscribe", id: 0, subscription });
    if (this.#tabs.size === 0) this.#closed(RESTART);
  }

  #sweep(): void {
    for (const [name, tab] of this.#tabs) if (Date.now() - tab.seen > GONE_MS) this.#forget(name, tab);
  }
}
