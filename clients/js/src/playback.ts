/** What was, at a pace of one's own, which goes on into what is live (docs/protocol.md, "Playback"). */
import type { Client, Connection } from "./client.js";
import { guarded, Subscription, thingOf, type Filter, type Handlers, type Missed, type Refused, type Told } from "./subscription.js";
import { isAfter, msOf, type Time } from "./time.js";
import type { Answer, Event, Push } from "./wire.js";

export interface PlaybackOptions extends Pick<Filter, "to" | "types" | "bbox"> {
  /** What was received from then on. */
  at: Time;
  /** So many times as fast as it was: 0.1 to 100 (1). */
  rate?: number;
}

export interface PlaybackHandlers extends Pick<Handlers, "onSnapshot" | "onLeft" | "onGap"> {
  /** With `replay: true` while it is played; behind that what is live. */
  onEvent?(push: Push): void;
  /** `state` is another one. */
  onChange?(): void;
}

export interface PlaybackState {
  /** `waiting`: for a connection, which has to be a WebSocket, or for the place to be found; `refused`: see `error`. */
  readonly mode: "waiting" | "playing" | "paused" | "live" | "refused";
  /** Where it is, ms since 1970, by the time of receipt; asked for once a second. Of what is live there is none. */
  readonly at?: number;
  readonly rate: number;
  readonly error?: Refused;
}

const ASK_MS = 1_000;
/** So many may come between the end of what is played and the set of what is live. */
const MOST_EARLY = 10_000;

const numberOf = (push: Push): string | undefined => {
  const { number, cursor } = push as { number?: string; cursor?: string };
  return number ?? cursor;
};

/** The subscription that plays, and hears what is live once it has joined. */
class Tape extends Subscription {
  #place: () => object;
  #begun: (answer: Answer) => void;
  #told: (told: Told) => void;
  #live: (push: Push) => void;

  constructor(
    client: Client, filter: Filter, handlers: Handlers, place: () => object, begun: (answer: Answer) => void, told: (told: Told) => void,
    live: (push: Push) => void,
  ) {
    super(client, filter, handlers);
    this.#place = place;
    this.#begun = begun;
    this.#told = told;
    this.#live = live;
  }

  override ask(): Record<string, unknown> {
    const { to, types, bbox, gone } = super.ask();
    return { to, types, bbox, gone, ...this.#place() };
  }

  override answered(answer: Answer): void {
    super.answered(answer);
    this.#begun(answer);
  }

  override tell(told: Told): void {
    if (told.type === "over") super.tell(told);
    else this.#told(told);
  }

  override hear(push: Push): void {
    if (this.takes(push)) this.#live(push);
  }
}

/**
 * `seek()` begins a subscription anew, so that frames of before are told by its name. It comes back from a break where it
 * was said last to be, and leaves out what it had.
 *
 * A playback has no set, not even when it has joined what is live. So a second subscription tells that from then on, and
 * has the events, too, as soon as there is a break.
 */
export class Playback {
  #client: Client;
  #filter: Filter;
  #handlers: PlaybackHandlers;
  #state: PlaybackState;
  #tape: Tape | undefined;
  #isAttached = false;
  #live: Subscription | undefined;
  #last: string | undefined; /* the number of what was played last */
  #early: Push[] = []; /* came between the end of what is played and the set */
  #clock: ReturnType<typeof setInterval>;
  #unlisten: () => void;

  constructor(client: Client, { at, rate = 1, ...filter }: PlaybackOptions, handlers: PlaybackHandlers = {}) {
    this.#client = client;
    this.#filter = filter;
    this.#handlers = handlers;
    this.#state = { mode: "waiting", at: msOf(at), rate };
    this.#clock = setInterval(() => this.#state.mode === "playing" && this.#tell({ op: "seek" }), ASK_MS);
    this.#unlisten = client.onConnection((connection) => this.#follow(connection));
    this.#wind();
  }

  get state(): PlaybackState {
    return this.#state;
  }

  pause(): void {
    if (this.#state.mode !== "playing" && this.#state.mode !== "waiting") return;
    this.#show({ mode: "paused" });
    this.#tell({ op: "pause" });
  }

  /** Goes on, or at another rate. */
  play(rate = this.#state.rate): void {
    if (this.#state.mode === "live" || this.#state.mode === "refused") return;
    this.#show({ mode: this.#tape?.name ? "playing" : "waiting", rate });
    if (this.#isAttached) this.#tell({ op: "seek", rate });
    else this.#attach();
  }

  /** Plays from elsewhere, also from what is live. */
  seek(at: Time, rate = this.#state.rate): void {
    this.#last = undefined;
    this.#state = { mode: "waiting", at: msOf(at), rate };
    this.#wind();
    this.#show({});
  }

  /** What is live, now; what lies between is left out. */
  live(): void {
    if (this.#state.mode === "live") return;
    this.#unwind();
    this.#goLive(true);
  }

  close(): void {
    clearInterval(this.#clock);
    this.#unlisten();
    this.#unwind();
  }

  #show(change: Partial<PlaybackState>): void {
    this.#state = { ...this.#state, ...change };
    guarded(() => this.#handlers.onChange?.());
  }

  /* ---- the subscription that plays ---- */

  #unwind(): void {
    this.#live?.unsubscribe();
    if (this.#isAttached) this.#tape?.unsubscribe();
    this.#live = this.#tape = undefined;
    this.#isAttached = false;
    this.#early = [];
  }

  #wind(): void {
    this.#unwind();
    const tape = new Tape(
      this.#client, this.#filter,
      { onRefused: (error) => this.#tape === tape && (this.#unwind(), this.#show({ mode: "refused", error })) },
      () => ({ at: new Date(this.#state.at!).toISOString(), rate: this.#state.rate }),
      ({ at }) => this.#begun(at!),
      (told) => this.#heard(told),
      (push) => this.#hear(push),
    );
    this.#tape = tape;
    this.#attach();
  }

  #attach(): void {
    if (this.#isAttached || !this.#tape || this.#client.connection.transport !== "websocket") return;
    this.#isAttached = true;
    this.#client.add(this.#tape);
  }

  /* It is begun by us, and not by who comes back: streams and polls play nothing, and who is held stays where he is. */
  #follow({ transport }: Connection): void {
    const { mode } = this.#state;

    if (this.#isAttached && this.#tape) {
      this.#client.remove(this.#tape);
      this.#tape.name = undefined;
      this.#isAttached = false;
      if (mode === "live") this.#tape = undefined;
    }
    if (mode === "live" || mode === "refused") return;
    if (this.#live) this.#skip(); /* it was about to be */
    else if (mode === "playing") this.#show({ mode: "waiting" });
    if (transport === "websocket" && mode !== "paused") queueMicrotask(() => this.#state.mode === "waiting" && this.#attach());
  }

  #begun(at: string): void {
    this.#filter = { ...this.#filter, gone: "skip" }; /* what was there may go until it is asked for again, by another one */
    if (this.#state.mode === "paused") this.#tell({ op: "pause" });
    this.#show({ at: Date.parse(at), ...(this.#state.mode === "waiting" && { mode: "playing" }) });
  }

  #tell(what: { op: "pause" } | { op: "seek"; rate?: number }): void {
    const tape = this.#tape;

    if (!tape?.name) return;
    this.#client.ask({ ...what, subscription: tape.name }).then(({ at }) => {
      if (this.#tape === tape && this.#state.mode !== "live" && at) this.#show({ at: Date.parse(at) });
    }, () => {}); /* it has joined meanwhile, or the connection is another one */
  }

  #heard(told: Told & { replay?: true; recovered?: boolean }): void {
    if (told.replay) {
      const push = told as unknown as Push;
      const number = numberOf(push)!;
      if (this.#last && !isAfter(number, this.#last)) return;
      this.#last = number;
      guarded(() => this.#handlers.onEvent?.(push));
    } else if (told.type === "gap") {
      guarded(() => this.#handlers.onGap?.(told as unknown as Missed));
    } else if (told.type === "live") {
      if (!told.recovered) guarded(() => this.#handlers.onGap?.({ dropped: null }));
      this.#goLive(false);
    }
  }

  /* ---- what is live ---- */

  #hear(push: Push): void {
    if (!this.#live) return; /* it is not for one that plays */
    if (this.#state.mode === "live") this.#pass(push);
    else if (this.#early.push(push) > MOST_EARLY) this.#skip();
  }

  #pass(push: Push): void {
    const thing = thingOf(push);

    if (!thing || this.#live!.things.has(thing)) guarded(() => this.#handlers.onEvent?.(push));
  }

  #goLive(isHere: boolean): void {
    const { onGap, onLeft, onSnapshot, onEvent } = this.#handlers;
    const isAlone = (): boolean => !this.#tape;

    this.#live = this.#client.subscribe(this.#filter, {
      onEvent: (push) => isAlone() && onEvent?.(push),
      onGap: (gap) => isAlone() && onGap?.(gap),
      onLeft: (...all) => onLeft?.(...all),
      onRefused: (error) => (this.#unwind(), this.#show({ mode: "refused", error })),
      onSnapshot: (items: Event[], isComplete) => {
        if (this.#state.mode !== "live") this.#join();
        onSnapshot?.(items, isComplete);
      },
    });
    if (isHere) this.#showLive();
  }

  /* What lies between is lost. */
  #skip(): void {
    this.live();
    guarded(() => this.#handlers.onGap?.({ dropped: null }));
  }

  #join(): void {
    const early = this.#early.splice(0);

    this.#showLive();
    for (const push of early) this.#pass(push);
  }

  #showLive(): void {
    const { rate } = this.#state;

    this.#state = { mode: "live", rate };
    this.#show({});
  }
}
