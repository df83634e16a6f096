/** Series as views: components that ask the same have one. */
import type { Client } from "./client.js";
import { Shared, type View } from "./fleet.js";
import { Series, type SeriesOptions, type SeriesState } from "./series.js";

const NOTHING: SeriesState = { state: "loading", points: [], columns: [] };

class Line extends Shared<SeriesState> {
  #client: Client;
  #options: SeriesOptions;
  #ended: () => void;
  #series: Series | undefined;

  constructor(client: Client, options: SeriesOptions, ended: () => void) {
    super();
    this.#client = client;
    this.#options = options;
    this.#ended = ended;
  }

  readonly read = (): SeriesState => this.#series?.state ?? NOTHING;

  protected begin(): void {
    this.#series = new Series(this.#client, this.#options, () => this.changed());
  }

  protected end(): void {
    this.#series?.close();
    this.#series = undefined;
    this.#ended();
  }
}

const lines = new WeakMap<Client, Map<string, Line>>();

export function lineOf(client: Client, options: SeriesOptions): View<SeriesState> {
  const { thing, member, sensor, window, points } = options;
  const key = JSON.stringify([thing, member, sensor, window, points]);
  const all = lines.get(client) ?? new Map<string, Line>();
  const line = all.get(key) ?? new Line(client, options, () => all.get(key) === line && all.delete(key));

  lines.set(client, all.set(key, line));
  return line;
}
