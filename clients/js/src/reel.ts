/** A playback as a view: things as they were where it is. */
import type { Client } from "./client.js";
import { blank, changedBy, Shared, type DeviceState, type Kind, type State, type VehicleState } from "./fleet.js";
import { Playback, type PlaybackOptions, type PlaybackState } from "./playback.js";
import type { Missed } from "./subscription.js";
import { msOf, type Time } from "./time.js";
import type { Event, Push } from "./wire.js";

export interface Played extends PlaybackState {
  readonly vehicles: ReadonlyMap<number, VehicleState>;
  readonly devices: ReadonlyMap<number, DeviceState>;
  /** The last of them, newest last. */
  readonly events: readonly Push[];
  readonly gaps: readonly Missed[];
}

export class Reel extends Shared<Played> {
  #client: Client;
  #options: PlaybackOptions;
  #limit: number;
  #playback: Playback | undefined;
  #vehicles = new Map<number, State>();
  #devices = new Map<number, State>();
  #events: Push[] = [];
  #gaps: Missed[] = [];
  #shown: Played | undefined;

  constructor(client: Client, options: PlaybackOptions, limit: number) {
    super();
    this.#client = client;
    this.#options = options;
    this.#limit = limit;
  }

  readonly read = (): Played => (this.#shown ??= {
    ...this.#playback?.state ?? { mode: "waiting", at: msOf(this.#options.at), rate: this.#options.rate ?? 1 },
    vehicles: new Map(this.#vehicles) as Map<number, VehicleState>, devices: new Map(this.#devices),
    events: this.#events.slice(-this.#limit), gaps: this.#gaps.slice(-this.#limit),
  });

  readonly pause = (): void => this.#playback?.pause();
  readonly play = (rate?: number): void => this.#playback?.play(rate);
  /** What is known of things begins anew there. */
  readonly seek = (at: Time, rate?: number): void => {
    this.#clear();
    this.#playback?.seek(at, rate);
  };
  readonly live = (): void => this.#playback?.live();

  protected begin(): void {
    this.#playback = new Playback(this.#client, this.#options, {
      onChange: () => this.#changed(),
      onEvent: (push) => {
        this.#keep(this.#events, push);
        this.#take(push);
      },
      onSnapshot: (items, isComplete) => {
        if (isComplete) for (const some of [this.#vehicles, this.#devices]) some.clear();
        items.forEach((item) => this.#take(item));
      },
      onLeft: (thing) => {
        const [kind, id] = thing.split("/") as [Kind, string];
        this.#of(kind).delete(Number(id));
        this.#changed();
      },
      onGap: (gap) => this.#keep(this.#gaps, gap),
    });
  }

  protected end(): void {
    this.#playback?.close();
    this.#playback = undefined;
    this.#clear();
  }

  #of(kind: Kind): Map<number, State> {
    return kind === "vehicle" ? this.#vehicles : this.#devices;
  }

  #clear(): void {
    for (const some of [this.#vehicles, this.#devices]) some.clear();
    this.#events = [];
    this.#gaps = [];
    this.#shown = undefined;
  }

  #keep<T>(list: T[], one: T): void {
    list.push(one);
    if (list.length > 2 * this.#limit) list.splice(0, list.length - this.#limit);
    this.#changed();
  }

  #take(push: Push | Event): void {
    for (const kind of ["vehicle", "device"] as const) {
      const id = (push as unknown as Record<string, number | undefined>)[`${kind}_id`];
      if (id) this.#of(kind).set(id, changedBy(kind, this.#of(kind).get(id) ?? blank(kind, id), push as Event));
    }
    this.#changed();
  }

  #changed(): void {
    this.#shown = undefined;
    this.changed();
  }
}
