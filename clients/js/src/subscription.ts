import type { Answer, Event, Gap, Push, Refusal } from "./wire.js";

/** What a push is about: `vehicle/12`, `device/3`. */
export type Thing = `vehicle/${number}` | `device/${number}`;

export interface Filter {
  /** `vehicle/12`, `vehicle/*`, `device/ems_001`, `group/3`, `user`, `alerts`, … (docs/protocol.md, section 4). */
  to: readonly string[];
  /** Names of pushes; all of them where it is not given. */
  types?: readonly Exclude<Push["type"], "alert_update">[];
  bbox?: readonly [west: number, south: number, east: number, north: number];
  /** At most so many states of one thing and type a second, the newest of them. */
  maxHz?: number;
  /** Goes on behind this cursor, which an earlier visit has kept. */
  since?: string;
  /** Of `to` what is not there, or not yours, is passed over, if something else is. What went while it was looked at, or
   * while there was no connection, is in any case. */
  gone?: "skip";
}

export interface Handlers {
  onEvent?(push: Push): void;
  /** The last known state of things that come in, some of which may have said nothing yet. `complete`: it is the whole set. */
  onSnapshot?(items: Event[], complete: boolean): void;
  /** `reason` as in docs/protocol.md, or `absent`: it went while we were not connected. */
  onLeft?(thing: Thing, reason: string): void;
  /** Something was lost and does not come any more. A complete snapshot follows. */
  onGap?(gap: Missed): void;
  /** All up to this cursor has been here. */
  onProgress?(cursor: string, timestamp: string): void;
  /** The subscription is over: there is no such thing, or no right to it, any more. What was in its set has left before. */
  onRefused?(error: Refused): void;
}

/** `dropped` null: nobody knows how many. */
export type Missed = Omit<Gap, "type" | "dropped"> & { dropped: number | null };

/** An answer that says no. */
export class Refused extends Error {
  declare readonly code: string;
  declare readonly retry: boolean;

  constructor(error: Refusal["error"]) {
    super(error.message);
    Object.assign(this, error);
  }
}

/** One of our own. @internal */
export const refusal = (code: string, message: string): Refused => new Refused({ code, message, retry: false });

/** What the gateway says to one subscription, or, without a name, to all of a connection. @internal */
export interface Told {
  type: string;
  subscription?: string;
  /** A push without names is for all; where others resume it may be for them alone, or not for them. */
  subscriptions?: string[];
  cursor?: string | null;
  timestamp?: string;
  items?: Event[];
  vehicle_ids?: number[];
  device_ids?: number[];
  done?: boolean;
  complete?: boolean;
  set?: string;
  reason?: string;
  error?: Refusal["error"];
}

/** How a subscription reaches the gateway. @internal */
export interface Carrier {
  remove(sub: Subscription): void;
  change(sub: Subscription): void;
}

const KINDS: Record<string, string> = { alerts: "alert", cameras: "camera_event", detections: "detection_event" };

export function thingOf(push: object): Thing | undefined {
  const { vehicle_id: vehicle, device_id: device } = push as { vehicle_id?: number; device_id?: number };
  return vehicle ? `vehicle/${vehicle}` : device ? `device/${device}` : undefined;
}

/** What goes wrong in a handler is its author's, and must not cost the connection. @internal */
export function guarded(run: () => void): void {
  try {
    run();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

export class Subscription {
  declare filter: Filter;
  /** What is in the set now. */
  readonly things = new Set<Thing>();
  /** Everything at or before it has been here: `since` of a later visit. */
  declare cursor: string | undefined;
  /** Resolves once nothing can be lost any more: from then on each event comes, or a gap tells of it. */
  declare readonly ready: Promise<void>;
  /** The name that the gateway has given it on the connection of now. @internal */
  declare name: string | undefined;
  #handlers: Handlers;
  #carrier: Carrier;
  #settle!: [resolve: () => void, reject: (error: Error) => void];
  #items: Event[] = [];
  #named = new Set<Thing>();
  /** Stands for the set as it is; true: it is not known. @internal */
  set: string | true = true;
  #isWhole = false; /* the set is known on this connection */
  /** The targets of the last question, and those that the gateway has taken, which may be gone when they are asked for again. @internal */
  declare asked: unknown;
  declare taken: unknown;

  /** @internal */
  declare isOver: true | undefined;

  /** @internal */
  constructor(carrier: Carrier, filter: Filter, handlers: Handlers) {
    this.filter = filter;
    this.cursor = filter.since;
    this.#handlers = handlers;
    this.#carrier = carrier;
    this.ready = new Promise((...settle) => (this.#settle = settle));
    this.ready.catch(() => {});
  }

  /** Another box, rate or other targets, without losing the place. */
  move(change: Pick<Partial<Filter>, "to" | "bbox" | "maxHz">): void {
    this.filter = { ...this.filter, ...change };
    if (!this.isOver) this.#carrier.change(this);
  }

  unsubscribe(): void {
    this.#end(refusal("cancelled", ""));
  }

  /** What it asks of the gateway now; from here on it is new to the connection. @internal */
  ask(): Record<string, unknown> {
    const { to, types } = this.filter;

    this.asked = to;
    this.name = undefined;
    this.#isWhole = false;
    this.#items = [];
    this.#named.clear();
    return { ...this.view(), types, since: this.cursor, set: this.set };
  }

  /** What it says anew when it moves. @internal */
  view(): Record<string, unknown> {
    const { to, bbox = null, maxHz = null, gone = "tell" } = this.filter;
    return { to, bbox, max_hz: maxHz, gone: to === this.taken ? "skip" : gone };
  }

  /** Is it a push, which names no subscription, and for this one? @internal */
  takes(push: Push): boolean {
    const { to, types } = this.filter;
    const thing = thingOf(push);
    const type = push.type.replace("t_update", "t"); /* what becomes of an alert comes with alerts */

    if (types && !types.includes(type as never)) return false;
    if (/^stat/.test(type)) return to.includes("stats");
    if (!this.name || !thing || (this.#isWhole && !this.things.has(thing))) return false;
    return to.some((target) => {
      const [kind, name] = target.split(/\/(?:id:)?(.*)/);
      if (kind === "vehicle" || kind === "device")
        return thing.startsWith(kind) && (this.#isWhole || !/^\d+$/.test(name!) || thing === `${kind}/${name}`);
      return (KINDS[kind!] ?? type) === type;
    });
  }

  /** A push of the connection, for this one or not: once the set is whole all up to it has been here. @internal */
  hear(push: Push): void {
    const isOurs = this.takes(push);

    if (isOurs || this.#isWhole) this.cursor = (push as Event).cursor ?? this.cursor;
    if (isOurs) guarded(() => this.#handlers.onEvent?.(push));
  }

  /** @internal */
  tell(told: Told): void {
    if (told.type === "snapshot") {
      for (const kind of ["vehicle", "device"] as const)
        for (const id of told[`${kind}_ids`] ?? []) this.#named.add(`${kind}/${id}`);
      this.#items.push(...told.items!);
      if (!told.done) return;
      this.#take(told);
    } else if (told.type === "left") {
      this.#leave(thingOf(told)!, told.reason!);
    } else {
      if (told.type === "gap") guarded(() => this.#handlers.onGap?.(told as unknown as Missed));
      if (told.error) this.refuse(new Refused(told.error)); /* it is over */
      if (told.type === "progress" && this.#isWhole) {
        this.cursor = told.cursor ?? this.cursor;
        guarded(() => this.#handlers.onProgress?.(told.cursor!, told.timestamp!));
      }
      return; /* that, or what later gateways say */
    }
    this.cursor = told.cursor ?? this.cursor;
    this.set = told.set ?? true; /* what came or went before the set was whole has no text */
  }

  #leave(thing: Thing, reason: string): void {
    if (this.things.delete(thing)) guarded(() => this.#handlers.onLeft?.(thing, reason));
  }

  #take({ complete: isComplete, set }: Told): void {
    const items = this.#items.splice(0);

    for (const thing of this.things) if (isComplete && !this.#named.has(thing)) this.#leave(thing, "absent");
    for (const thing of this.#named) this.things.add(thing);
    this.#isWhole ||= isComplete || set !== undefined;
    if (this.#named.size || isComplete) guarded(() => this.#handlers.onSnapshot?.(items, isComplete!));
    this.#named.clear();
    if (this.#isWhole) this.#settle[0]();
  }

  /** @internal */
  answered(answer: Answer): void {
    const from = this.cursor;

    this.name = answer.subscription;
    this.taken = this.asked;
    this.cursor = answer.cursor ?? undefined;
    if (from && !answer.recovered) guarded(() => this.#handlers.onGap?.({ dropped: null, from }));
  }

  /** @internal */
  refuse(error: Refused): void {
    if (this.isOver) return;
    this.#end(error);
    for (const thing of this.things) this.#leave(thing, "absent");
    guarded(() => this.#handlers.onRefused?.(error));
  }

  #end(error: Refused): void {
    this.isOver = true;
    this.#carrier.remove(this);
    this.#settle[1](error);
  }
}
