/** Hooks for React 18 and later. Everything that they show is told to React once a frame. */
import {
  createContext, createElement, useCallback, useContext, useEffect, useMemo, useRef, useState, useSyncExternalStore,
  type ReactNode,
} from "react";
import { Client, type Connection, type Options } from "./client.js";
import type { Command, CommandOptions, CommandState, Order } from "./command.js";
import { fleetOf, type DeviceState, type Fleet, type Things, type VehicleState, type View } from "./fleet.js";
import { lineOf } from "./line.js";
import type { PlaybackOptions } from "./playback.js";
import { Reel, type Played } from "./reel.js";
import type { SeriesOptions, SeriesState } from "./series.js";
import type { Filter, Missed } from "./subscription.js";
import type { Push } from "./wire.js";

export { Shared, type DeviceState, type Things, type VehicleState, type View } from "./fleet.js";
export type { Played } from "./reel.js";
export type { SeriesState } from "./series.js";

const Context = createContext<Client | null>(null);

export interface ProviderProps {
  /** One that the page has made, which it closes itself. */
  client?: Client;
  /** Of one that is made here; what it was at first counts. */
  options?: Options;
  children?: ReactNode;
}

/** Everything below has the connection. In StrictMode, too, there is one. */
export function TidegateProvider({ client, options, children }: ProviderProps): ReactNode {
  const [own, setOwn] = useState<Client | null>(null);
  const first = useRef(options);

  useEffect(() => {
    if (client || !first.current) return;
    return keep(first.current, setOwn);
  }, [client]);
  const value = client ?? own;
  return value ? createElement(Context.Provider, { value }, children) : null;
}

/* A component that is unmounted and mounted again in one go finds what it had. */
const LINGER_MS = 250;
const kept = new Map<Options, { client: Client; n: number }>();

function keep(options: Options, tell: (client: Client | null) => void): () => void {
  const entry = kept.get(options) ?? { client: new Client(options), n: 0 };

  kept.set(options, entry);
  entry.n += 1;
  tell(entry.client);
  return () => {
    entry.n -= 1;
    setTimeout(() => {
      if (entry.n > 0) return;
      kept.delete(options);
      entry.client.close();
    }, LINGER_MS);
  };
}

export function useClient(): Client {
  const client = useContext(Context);

  if (!client) throw new Error("there is no TidegateProvider above");
  return client;
}

export function useConnection(): Connection {
  const client = useClient();
  const subscribe = useCallback((tell: () => void) => client.onConnection(tell), [client]);

  return useSyncExternalStore(subscribe, () => client.connection, () => client.connection);
}

function useView<T>(make: (fleet: Fleet) => View<T>, key: string): T {
  const client = useClient();
  // eslint-disable-next-line react-hooks/exhaustive-deps -- key says all that make() depends on
  const view = useMemo(() => make(fleetOf(client)), [client, key]);

  return useSyncExternalStore(view.subscribe, view.read, view.read);
}

/** One vehicle by its id; undefined while nothing is known, and when it is gone. */
export function useVehicle(id: number): VehicleState | undefined {
  return useView((fleet) => fleet.vehicle(id), `${id}`);
}

/** One device by its id. */
export function useDevice(id: number): DeviceState | undefined {
  return useView((fleet) => fleet.device(id), `${id}`);
}

/** Which of them: all by default; `bbox`, or a box alone, moves without losing its place. */
export type Which = Partial<Pick<Filter, "to" | "bbox" | "maxHz">> | NonNullable<Filter["bbox"]>;

/** Vehicles by id, those of a filter or of a box on the map. */
export function useVehicles(which: Which = {}): Things<VehicleState> {
  return useSet(which, "vehicle");
}

export function useDevices(which: Which = {}): Things<DeviceState> {
  return useSet(which, "device");
}

function useSet<K extends "vehicle" | "device">(which: Which, kind: K): Things<K extends "vehicle" ? VehicleState : DeviceState> {
  const client = useClient();
  const { bbox, to = [`*`], maxHz } = ("length" in which ? { bbox: which } : which) as Partial<Filter>;
  const targets = JSON.stringify(to.map((target) => (target === "*" ? `${kind}/*` : target)));
  const view = useMemo(
    () => fleetOf(client).set(kind, { to: JSON.parse(targets), ...(bbox && { bbox }), ...(maxHz && { maxHz }) }),
    // eslint-disable-next-line react-hooks/exhaustive-deps -- a box that moves is not another view
    [client, kind, targets, maxHz, !bbox],
  );
  const box = bbox?.join();

  useEffect(() => view.move(bbox), [view, box]); // eslint-disable-line react-hooks/exhaustive-deps
  return useSyncExternalStore(view.subscribe, view.read, view.read) as never;
}

export interface Events {
  readonly events: readonly Push[];
  /** What was lost since the component is there. */
  readonly gaps: readonly Missed[];
  /** From now on each event comes, or a gap tells of it: what is read of the past from here on, and behind each gap, leaves no hole. */
  readonly ready: boolean;
}

/** The last events of a filter, newest last; as many as `limit` (100). */
export function useEvents(filter: Filter, limit = 100): Events {
  const key = JSON.stringify([filter, limit]);

  return useView((fleet) => fleet.events(filter, limit), key);
}

/** History joined to what is live: `useSeries("device/3", "power_kw", 3_600_000)`, the points of the last hour and those that come.
 * `window` in ms, or with the number of columns and the vehicle's sensor. */
export function useSeries(thing: string, member: string, window: number | Omit<SeriesOptions, "thing" | "member">): SeriesState {
  const client = useClient();
  const { window: ms, points, sensor, clock } = typeof window === "number" ? { window } as SeriesOptions : window;
  const view = useMemo(
    () => lineOf(client, { thing, member, window: ms, ...(points && { points }), ...(sensor !== undefined && { sensor }), ...(clock && { clock }) }),
    // eslint-disable-next-line react-hooks/exhaustive-deps -- another clock tells the same time
    [client, thing, member, ms, points, sensor],
  );

  return useSyncExternalStore(view.subscribe, view.read, view.read);
}

export type UsePlayback = Played & Pick<Reel, "pause" | "play" | "seek" | "live">;

/** What was, from `at` on, and then what is live: states of things as they were there, and the last `limit` events. `at` and
 * `rate` are where it begins, as they were at first (`Date.now() - 3_600_000` is another time in each render); `seek()` goes elsewhere. */
export function usePlayback(options: PlaybackOptions, limit = 100): UsePlayback {
  const client = useClient();
  const key = JSON.stringify([options.to, options.types, options.bbox, limit]);
  // eslint-disable-next-line react-hooks/exhaustive-deps -- key has the options, but for where it begins
  const reel = useMemo(() => new Reel(client, options, limit), [client, key]);
  const shown = useSyncExternalStore(reel.subscribe, reel.read, reel.read);

  return useMemo(() => ({ ...shown, pause: reel.pause, play: reel.play, seek: reel.seek, live: reel.live }), [shown, reel]);
}

export interface UseCommand {
  send(order: Order, options?: CommandOptions): Command;
  /** Of the last one that was sent. */
  state: CommandState | undefined;
  error: unknown;
}

export function useCommand(): UseCommand {
  const client = useClient();
  const [told, setTold] = useState<Pick<UseCommand, "state" | "error">>({ state: undefined, error: undefined });
  const last = useRef<Command | null>(null);
  const send = useCallback((order: Order, options?: CommandOptions) => {
    const sent = client.command(order, options);
    const show = (now: Pick<UseCommand, "state" | "error">): void => {
      if (last.current === sent) setTold(now);
    };

    last.current = sent;
    setTold({ state: undefined, error: undefined });
    void (async () => {
      for await (const state of sent) show({ state, error: undefined });
    })().catch((error: unknown) => show({ state: undefined, error }));
    return sent;
  }, [client]);

  useEffect(() => () => void (last.current = null), []);
  return { send, ...told };
}
