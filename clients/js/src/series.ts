/** One member of what a thing sends, for a chart: history by its columns, which goes on live without a hole or a double. */
import { Chart, valueOf, type Column, type Point } from "./chart.js";
import type { Client } from "./client.js";
import { read } from "./read.js";
import { refusal, Refused, type Subscription } from "./subscription.js";
import { isAfter, isSameLine, type Time } from "./time.js";
import type { Push, Refusal } from "./wire.js";

export type { Column, Point } from "./chart.js";
export type { Time } from "./time.js";

export interface SeriesQuery {
  /** `device/3`, `device/ems_001`, `vehicle/12`. */
  thing: string;
  /** A name, or a JSON pointer (`/battery/voltage`). */
  member: string;
  /** Of this sensor of the vehicle. */
  sensor?: number;
  from?: Time;
  to?: Time;
  /** How many columns (800; at most 4,000): one a pixel. */
  points?: number;
}

/** What the gateway answers (docs/protocol.md, "Charts"). */
export interface Columns {
  readonly device_id?: number;
  readonly vehicle_id?: number;
  readonly sensor_id?: number;
  readonly member: string;
  readonly from: string;
  readonly to: string;
  readonly points: number;
  readonly step: number;
  /** Live goes on behind it; null while there is nothing that it could be of. */
  readonly cursor: string | null;
  readonly columns: Column[];
}

const text = (time: Time): string => (typeof time === "string" ? time : new Date(time).toISOString());

/** Rejects with Refused; `retry` says whether it may go better later: soon it has been asked again. */
export async function readSeries(client: Client, query: SeriesQuery, signal?: AbortSignal): Promise<Columns> {
  const { thing, member, sensor, from, to, points } = query;
  const [kind, ...rest] = thing.split("/");
  const params = new URLSearchParams({ member });

  if (sensor !== undefined) params.set("sensor_id", `${sensor}`);
  if (from !== undefined) params.set("from", text(from));
  if (to !== undefined) params.set("to", text(to));
  if (points !== undefined) params.set("points", `${points}`);
  const path = `api/${kind}s/${encodeURIComponent(rest.join("/"))}/${kind === "device" ? "telemetry" : "series"}?${params}`;
  const response = await read(client, path, signal ? { signal } : {});

  if (response.ok) return response.json() as Promise<Columns>;
  const { code = "unavailable", detail = `${response.status}` } = await response.json().catch(() => ({})) as { code?: string; detail?: string };
  throw new Refused({ code, message: detail, retry: response.status >= 500 || response.status === 429 } satisfies Refusal["error"]);
}

export interface SeriesOptions extends Omit<SeriesQuery, "from" | "to"> {
  /** The last so many ms. */
  window: number;
  /** What time it is (`Date.now`), where the page knows better than its machine. */
  clock?: () => number;
}

export interface SeriesState {
  /** `loading`: history is not there yet, or is read anew behind a gap; `failed`: see `error`. */
  readonly state: "loading" | "live" | "failed";
  /** By time; of each column of the chart the first, the least, the greatest and the last. */
  readonly points: readonly Point[];
  readonly columns: readonly Column[];
  readonly error?: unknown;
}

const numberOf = (push: Push): string => {
  const { number, cursor } = push as { number?: string; cursor: string };
  return number ?? cursor;
};

const POINTS = 800;
/** So many are kept until history has come as far: of more, and of twice as many at the most, the newest. */
const MOST_EARLY = 5_000;
const RETRY_MS = 500;
const RETRY_MAX_MS = 30_000;
/** History that does not come as far, and not further than before, is read so often (half a minute). */
const MOST_SHORT = 6;

/**
 * History and live as one. First it subscribes, then it reads history: what came meanwhile, and history has, is told by
 * its number. History that does not come as far as live begins is read again while it gets further, and where it does
 * not the subscription begins anew behind its cursor.
 */
export class Series {
  #client: Client;
  #options: SeriesOptions;
  #changed: () => void;
  #sub: Subscription;
  #ended = new AbortController();
  #chart: Chart | undefined;
  #id: number | undefined;
  #upTo = ""; /* the number of the newest that is in the chart */
  #early: Push[] | undefined = []; /* what came since live is whole; undefined: history has come as far */
  #isLost = true; /* a complete snapshot will say from where on live is whole */
  #from: string | undefined; /* live begins there: history has to come as far */
  #tries = 0;
  #nShort = 0; /* answers that did not come as far, nor further than the one before */
  #upToOfHistory: string | null | undefined; /* of the last answer */
  #retry: ReturnType<typeof setTimeout> | undefined;
  #state: SeriesState["state"] = "loading";
  #error: unknown;
  #shown: SeriesState | undefined;

  constructor(client: Client, options: SeriesOptions, changed: () => void = () => {}) {
    this.#client = client;
    this.#options = options;
    this.#changed = changed;
    this.#sub = this.#look();
  }

  /* @left: it was there, and has been seen to go. */
  #look(left = false, since?: string): Subscription {
    const { thing, sensor } = this.#options;
    const type = thing.startsWith("device") ? "telemetry" : sensor === undefined ? "vehicle_log" : "sensor_log";

    return this.#client.subscribe({ to: [thing], types: [type], ...(since && { since }) }, {
      onEvent: (push) => this.#hear(push),
      onGap: () => this.#state !== "failed" && this.#lose(),
      onLeft: (_, reason) => {
        left = true;
        this.#fail(refusal(reason, `${thing} is not there any more`));
        this.#again();
      },
      onSnapshot: (_, isComplete) => queueMicrotask(() => this.#begin(isComplete)), /* its cursor is known behind it */
      onRefused: (error) => (left ? this.#again() : this.#fail(error)),
    });
  }

  /* What went is no target any more: somebody has to look whether it is back. */
  #again(): void {
    this.#later(() => {
      this.#sub.unsubscribe();
      this.#sub = this.#look(true);
    });
  }

  /** The same object until something has changed. */
  get state(): SeriesState {
    return (this.#shown ??= {
      state: this.#state, points: this.#chart?.points ?? [], columns: this.#chart?.columns ?? [],
      ...(this.#error !== undefined && { error: this.#error }),
    });
  }

  close(): void {
    clearTimeout(this.#retry);
    this.#ended.abort();
    this.#sub.unsubscribe();
  }

  #show(state: SeriesState["state"], error?: unknown): void {
    this.#state = state;
    this.#error = error;
    this.#shown = undefined;
    this.#changed();
  }

  #fail(error: unknown): void {
    clearTimeout(this.#retry);
    this.#chart = undefined;
    this.#early = undefined;
    this.#show("failed", error);
  }

  /* At first, behind a gap, and when the thing is there again. */
  #begin(isComplete: boolean): void {
    if (this.#ended.signal.aborted || this.#sub.things.size === 0) return;
    if (this.#state !== "failed" && !(this.#isLost && isComplete)) return;
    this.#anew();
    void this.#read();
  }

  /* From here on live is whole. */
  #anew(): void {
    this.#lose();
    this.#isLost = false;
    this.#nShort = 0;
    this.#upToOfHistory = undefined;
    this.#from = this.#sub.cursor;
  }

  /* What is shown stays until all of it is there anew. */
  #lose(): void {
    clearTimeout(this.#retry);
    this.#isLost = true;
    this.#early = [];
    if (this.#state !== "loading") this.#show("loading");
  }

  #later(run: () => void): void {
    const ms = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** Math.min(this.#tries++, 10));

    clearTimeout(this.#retry);
    this.#retry = setTimeout(run, ms * (0.5 + Math.random() / 2));
  }

  readonly #read = async (): Promise<void> => {
    const { window, points = POINTS, clock = Date.now, ...query } = this.#options;
    const early = this.#early; /* another one: a gap has come meanwhile */
    const from = clock() - window;
    let answer: Columns;

    try {
      answer = await readSeries(this.#client, { ...query, points, from }, this.#ended.signal);
    } catch (error) {
      if (this.#ended.signal.aborted || this.#early !== early) return;
      if (error instanceof Refused && !error.retry) this.#fail(error);
      else this.#later(this.#read);
      return;
    }
    if (this.#ended.signal.aborted || this.#early !== early) return;
    const { cursor } = answer;
    const reaches = this.#reaches(cursor);

    this.#nShort = cursor === this.#upToOfHistory ? this.#nShort + 1 : 0;
    this.#upToOfHistory = cursor;
    if (!reaches && (!cursor || this.#nShort < MOST_SHORT)) {
      this.#take(answer, from);
      return this.#later(this.#read);
    }
    if (!reaches) this.#early = []; /* all of it comes again */
    this.#take(answer, from);
    this.#tries = 0;
    this.#early = undefined;
    if (!reaches) this.#goOnBehind(cursor!);
  };

  /* Where history stands still the gateway itself says what is behind it, or that it cannot. */
  #goOnBehind(cursor: string): void {
    this.#sub.unsubscribe();
    this.#sub = this.#look(false, cursor);
  }

  /* Has history all that came before live? What is shown is stored a little later where the database was away. Where nothing
   * was stored since the gateway has started it never has, and nothing is missing. */
  #reaches(cursor: string | null): boolean {
    return cursor !== null && (!this.#from || (isSameLine(cursor, this.#from) && !isAfter(this.#from, cursor)));
  }

  #take(answer: Columns, from: number): void {
    const { window, points = POINTS } = this.#options;
    const width = (Date.parse(answer.to) - from) / answer.points || 0;

    this.#id = answer.device_id ?? answer.vehicle_id;
    this.#chart = new Chart(from, Math.max(width, window / points / 2), window);
    for (const column of answer.columns) this.#chart.add(column);
    this.#upTo = answer.cursor ?? "";
    for (const push of this.#early!) this.#add(push);
    this.#show("live");
  }

  #hear(push: Push): void {
    if (this.#early && this.#early.push(push) >= 2 * MOST_EARLY) {
      /* History has to come as far as these: what was asked for, or is asked for later, may. */
      const [last] = this.#early.splice(0, MOST_EARLY).slice(-1);
      this.#from = numberOf(last!);
    }
    if (this.#state === "live") this.#add(push);
  }

  #add(push: Push): void {
    const { member, sensor } = this.#options;
    const { timestamp, data, ...about } = push as unknown as {
      timestamp: string | null; data: unknown; device_id?: number; vehicle_id?: number; sensor_id?: number;
    };

    if (!this.#chart || (about.device_id ?? about.vehicle_id) !== this.#id || about.sensor_id !== sensor) return;
    if (!this.#isNew(numberOf(push))) return;
    const value = valueOf(data, member);
    const at = Date.parse(timestamp ?? "");
    if (value === undefined || Number.isNaN(at)) return;
    this.#chart.add([at, value, at, value, at, value, at, value, 1]);
    this.#shown = undefined;
    this.#changed();
  }

  /* The numbers of what one thing sends ascend; what comes again after a break was here. */
  #isNew(number: string): boolean {
    if (isSameLine(number, this.#upTo) && !isAfter(number, this.#upTo)) return false;
    this.#upTo = number;
    return true;
  }
}
