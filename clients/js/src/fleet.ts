/** What is known of vehicles and devices, kept once for all components that look at it. */
import type { Client } from "./client.js";
import type { Filter, Missed, Subscription } from "./subscription.js";
import type { DeviceUpdate, Event, Push, SensorLog, Telemetry, VehicleLog } from "./wire.js";

export interface VehicleState {
  readonly id: number;
  /** The newest of each; undefined: it has sent none. */
  readonly log?: VehicleLog;
  readonly sensors: ReadonlyMap<number, SensorLog>;
}

export interface DeviceState {
  readonly id: number;
  readonly update?: DeviceUpdate;
  readonly telemetry?: Telemetry;
}

/** By their ids. */
export interface Things<T> extends ReadonlyMap<number, T> {
  /** All of them are here; before, what is missing may only not have come yet. A box that moves stays ready. */
  readonly ready: boolean;
}

/** What useSyncExternalStore() takes. */
export interface View<T> {
  subscribe(tell: () => void): () => void;
  read(): T;
}

/** As long as a component that is mounted anew may take, ms. */
const LINGER_MS = 250;
/** A thing that is not there is asked for so often. */
const AGAIN_MS = 10_000;
/** How often a page that nobody sees is told, ms: it has no frames. */
const HIDDEN_MS = 1000;

/* Listeners are told once a frame, all together. */
const due = new Set<() => void>();
let isSet = false;

function flushLater(tell: Iterable<() => void>): void {
  for (const one of tell) due.add(one);
  if (isSet || due.size === 0) return;
  isSet = true;
  const flush = (): void => {
    isSet = false;
    const now = [...due];
    due.clear();
    for (const one of now) one();
  };
  if (typeof requestAnimationFrame === "function" && document.visibilityState === "visible") requestAnimationFrame(flush);
  else setTimeout(flush, typeof document === "undefined" ? 16 : HIDDEN_MS);
}

/** Counts who looks; begins with the first, and ends a little after the last. */
export abstract class Shared<T> implements View<T> {
  #tell = new Set<() => void>();
  #end: ReturnType<typeof setTimeout> | undefined;
  #isBegun = false;

  protected abstract begin(): void;
  protected abstract end(): void;
  abstract read(): T;

  readonly subscribe = (tell: () => void): (() => void) => {
    clearTimeout(this.#end);
    this.#tell.add(tell);
    if (!this.#isBegun) {
      this.#isBegun = true;
      this.begin();
    }
    return () => {
      this.#tell.delete(tell);
      due.delete(tell);
      if (this.#tell.size === 0)
        this.#end = setTimeout(() => {
          this.#isBegun = false;
          this.end();
        }, LINGER_MS);
    };
  };

  /** Has nobody begun to look? */
  get isIdle(): boolean {
    return !this.#isBegun;
  }

  protected changed(): void {
    flushLater(this.#tell);
  }
}

export type State = VehicleState | DeviceState;
export type Kind = "vehicle" | "device";

export const blank = (kind: Kind, id: number): State => (kind === "vehicle" ? { id, sensors: new Map() } : { id });

export function changedBy(kind: Kind, old: State, event: Event): State {
  if ("late" in event && event.late) return old;
  if (kind === "device") {
    const state = old as DeviceState;
    return event.type === "device_update" ? { ...state, update: event }
      : event.type === "telemetry" ? { ...state, telemetry: event } : state;
  }
  const state = old as VehicleState;
  if (event.type === "vehicle_log") return { ...state, log: event };
  if (event.type === "sensor_log") return { ...state, sensors: new Map(state.sensors).set(event.sensor_id, event) };
  return state;
}

/** The states of one subscription's set. */
class Group extends Shared<Things<State>> {
  #client: Client;
  #kind: Kind;
  #filter: Filter;
  #sub: Subscription | undefined;
  #states = new Map<number, State>();
  #isReady = false;
  #shown: Things<State> | undefined;
  readonly #ended: () => void;

  constructor(client: Client, kind: Kind, filter: Filter, ended: () => void) {
    super();
    this.#client = client;
    this.#kind = kind;
    this.#filter = filter;
    this.#ended = ended;
  }

  readonly read = (): Things<State> => (this.#shown ??= Object.assign(new Map(this.#states), { ready: this.#isReady }));

  state(id: number): State | undefined {
    return this.#states.get(id);
  }

  move(change: Pick<Partial<Filter>, "to" | "bbox">): void {
    const now = JSON.stringify([this.#filter.to, this.#filter.bbox]);
    this.#filter = { ...this.#filter, ...change };
    if (JSON.stringify([this.#filter.to, this.#filter.bbox]) === now) return;
    if (this.#sub?.isOver) this.begin();
    else this.#sub?.move(change);
  }

  has(id: number): boolean {
    return this.#sub?.things.has(`${this.#kind}/${id}`) === true;
  }

  /** Asks once more for what was not there. */
  again(): void {
    if (this.#sub?.isOver) this.begin();
    else this.#sub?.move({});
  }

  protected begin(): void {
    const sub = this.#client.subscribe(this.#filter, {
      onEvent: (push) => this.#take(push),
      onSnapshot: (items) => {
        items.forEach((item) => this.#take(item));
        this.#fill();
      },
      onLeft: (thing) => this.#change(Number(thing.split("/")[1]), undefined, thing.startsWith(this.#kind)),
      onRefused: () => this.#states.forEach((_, id) => this.#change(id, undefined)),
    });
    const settled = (): void => {
      if (this.#sub !== sub) return;
      this.#isReady = true;
      this.#shown = undefined;
      this.changed();
    };

    this.#sub = sub;
    sub.ready.then(settled, settled); /* of one that is refused there is none, and none comes */
  }

  protected end(): void {
    this.#sub?.unsubscribe();
    this.#sub = undefined;
    [this.#states, this.#isReady, this.#shown] = [new Map(), false, undefined];
    this.#ended();
  }

  /* Things that have said nothing yet are in the set, too. */
  #fill(): void {
    for (const thing of this.#sub?.things ?? []) {
      const [kind, id] = thing.split("/") as [Kind, string];
      if (kind === this.#kind && !this.#states.has(Number(id))) this.#change(Number(id), blank(kind, Number(id)));
    }
  }

  #take(push: Push): void {
    const id = (push as unknown as Record<string, number | undefined>)[`${this.#kind}_id`];

    if (id) this.#change(id, changedBy(this.#kind, this.#states.get(id) ?? blank(this.#kind, id), push as Event));
  }

  #change(id: number, state: State | undefined, isOurs = true): void {
    if (!isOurs || this.#states.get(id) === state) return;
    if (state) this.#states.set(id, state);
    else this.#states.delete(id);
    this.#shown = undefined;
    this.changed();
  }
}

/** Single things: one subscription of all that are looked at, which moves as they come and go. */
class Singles {
  #group: Group;
  #kind: Kind;
  #wanted = new Map<number, number>();
  #isDue = false;
  #look: ReturnType<typeof setInterval> | undefined;

  constructor(client: Client, kind: Kind) {
    this.#kind = kind;
    this.#group = new Group(client, kind, { to: [], gone: "skip" }, () => {});
  }

  view(id: number): View<State | undefined> {
    return {
      read: () => this.#group.state(id),
      subscribe: (tell) => {
        this.#want(id, 1);
        const end = this.#group.subscribe(tell);
        return () => {
          end();
          setTimeout(() => this.#want(id, -1), LINGER_MS / 2);
        };
      },
    };
  }

  #want(id: number, change: number): void {
    const n = (this.#wanted.get(id) ?? 0) + change;

    if (n > 0) this.#wanted.set(id, n);
    else this.#wanted.delete(id);
    if (this.#wanted.size > 0) this.#look ??= setInterval(() => this.#lookAgain(), AGAIN_MS);
    else this.#look = void clearInterval(this.#look);
    if (this.#group.isIdle) return this.#move();
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#move();
    });
  }

  /* Who looks at one that is not there, or not his, may get it later. */
  #lookAgain(): void {
    for (const id of this.#wanted.keys()) if (!this.#group.has(id)) return this.#group.again();
  }

  #move(): void {
    if (this.#wanted.size > 0) this.#group.move({ to: [...this.#wanted.keys()].map((id) => `${this.#kind}/id:${id}`) });
  }
}

export interface Logged {
  readonly events: readonly Push[];
  readonly gaps: readonly Missed[];
  readonly ready: boolean;
}

/** The last events of a filter. */
class Log extends Shared<Logged> {
  #client: Client;
  #filter: Filter;
  #limit: number;
  #sub: Subscription | undefined;
  #events: Push[] = [];
  #gaps: Missed[] = [];
  #isReady = false;
  #shown: Logged = { events: [], gaps: [], ready: false };
  #isShown = true;

  constructor(client: Client, filter: Filter, limit: number) {
    super();
    this.#client = client;
    this.#filter = filter;
    this.#limit = limit;
  }

  readonly read = (): Logged => {
    if (!this.#isShown) {
      this.#shown = { events: this.#events.slice(-this.#limit), gaps: this.#gaps.slice(-this.#limit), ready: this.#isReady };
      this.#isShown = true;
    }
    return this.#shown;
  };

  protected begin(): void {
    const sub = this.#client.subscribe(this.#filter, {
      onEvent: (push) => this.#add(this.#events, push),
      onGap: (gap) => this.#add(this.#gaps, gap),
    });

    this.#sub = sub;
    sub.ready.then(() => {
      if (this.#sub !== sub) return;
      this.#isReady = true;
      this.#change();
    }, () => {});
  }

  /* What comes until it begins anew is not here: what was before that would have a hole behind it. */
  protected end(): void {
    this.#sub?.unsubscribe();
    this.#sub = undefined;
    [this.#events, this.#gaps, this.#isReady] = [[], [], false];
    this.#isShown = false;
  }

  #add<T>(list: T[], one: T): void {
    list.push(one);
    if (list.length > 2 * this.#limit) list.splice(0, list.length - this.#limit);
    this.#change();
  }

  #change(): void {
    this.#isShown = false;
    this.changed();
  }
}

export interface SetView<T> extends View<T> {
  move(bbox: Filter["bbox"]): void;
}

export class Fleet {
  #client: Client;
  #vehicles: Singles;
  #devices: Singles;
  #sets = new Map<string, Group>();

  constructor(client: Client) {
    this.#client = client;
    this.#vehicles = new Singles(client, "vehicle");
    this.#devices = new Singles(client, "device");
  }

  vehicle(id: number): View<VehicleState | undefined> {
    return this.#vehicles.view(id) as View<VehicleState | undefined>;
  }

  device(id: number): View<DeviceState | undefined> {
    return this.#devices.view(id) as View<DeviceState | undefined>;
  }

  /** Components that ask the same have one subscription; one with a box has its own, as it moves. */
  set(kind: Kind, filter: Filter): SetView<Things<State>> {
    const key = JSON.stringify([kind, filter]);
    let group = filter.bbox ? undefined : this.#sets.get(key);

    if (!group) {
      group = new Group(this.#client, kind, filter, () => this.#sets.get(key) === group && this.#sets.delete(key));
      if (!filter.bbox) this.#sets.set(key, group);
    }
    const { subscribe, read } = group;
    return { subscribe, read, move: (bbox) => bbox && group.move({ bbox }) };
  }

  events(filter: Filter, limit: number): View<Logged> {
    return new Log(this.#client, filter, limit);
  }
}

const fleets = new WeakMap<Client, Fleet>();

export function fleetOf(client: Client): Fleet {
  let fleet = fleets.get(client);

  if (!fleet) fleets.set(client, (fleet = new Fleet(client)));
  return fleet;
}
