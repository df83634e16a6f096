/** The vehicles of what the map shows, and a little around it: the subscription goes where the map goes. */
import type { Client, Filter } from "@tidegate/client";
import type { Map as MapLibre } from "maplibre-gl";
import { heardTime, now as timeNow } from "../data/clock";
import { heardPush } from "../data/stored";
import type { Fix, MapFleet } from "./fleet";

export type Box = NonNullable<Filter["bbox"]>;

/** A part of the view, around it on each side. */
const AROUND = 0.25;
const SETTLE_MS = 200;
/** What was asked for may take so long to come; where all of them were here already nothing does. */
const WHOLE_MS = 3_000;
const HZ = 4;

const wrapped = (lon: number): number => ((((lon + 180) % 360) + 360) % 360) - 180;

/** @param west of a view that may have been dragged around the world */
export function boxAround([west, south, east, north]: Box): Box {
  const [wide, high] = [(east - west) * AROUND, (north - south) * AROUND];
  const [s, n] = [Math.max(-90, south - high), Math.min(90, north + high)];

  if (east - west + 2 * wide >= 360) return [-180, s, 180, n];
  return [wrapped(west - wide), s, wrapped(east + wide), n];
}

const isIn = (lon: number, [west, , east]: Box): boolean => (west <= east ? lon >= west && lon <= east : lon >= west || lon <= east);

/** Need nothing else be asked for, and is not much more asked for than is seen? */
export function suffices(asked: Box, view: Box): boolean {
  const [west, south, east, north] = view;
  const span = (box: Box): number => (box[2] - box[0] + 360) % 360 || 360;

  if (south < asked[1] || north > asked[3]) return false;
  if (north - south < (asked[3] - asked[1]) / 4) return false;
  if (asked[0] === -180 && asked[2] === 180) return east - west > 90;
  if (east - west > span(asked) || east - west < span(asked) / 4) return false;
  return isIn(wrapped(west), asked) && isIn(wrapped(east), asked);
}

const viewOf = (map: MapLibre): Box => map.getBounds().toArray().flat() as unknown as Box;

export interface Told {
  /** Something came. */
  changed(): void;
  /** All that there is is here: at first, and when it was asked for. */
  first(): void;
}

export interface Following {
  /** Asks for all of them, wherever they are. */
  whole(): void;
  end(): void;
}

export function followView(client: Client, map: MapLibre, fleet: MapFleet, { changed, first }: Told): Following {
  let asked: Box | undefined;
  let isFirst = true;
  let whole: ReturnType<typeof setTimeout> | undefined; /* all of them are on their way */
  let timer: ReturnType<typeof setTimeout> | undefined;

  const take = (push: object, isLive: boolean): void => {
    const { type, vehicle_id: id, data, timestamp, late } = push as { type: string; vehicle_id?: number; data: Fix; timestamp: string | null; late?: boolean };
    if (type !== "vehicle_log" || !id || late) return;
    const here = performance.now();
    fleet.take(id, data, isLive ? here : here - Math.max(0, timeNow() - Date.parse(timestamp ?? "") || 0), here);
  };
  // At first all of them: where to look is where they are.
  const sub = client.subscribe({ to: ["vehicle/*"], types: ["vehicle_log"], maxHz: HZ }, {
    onEvent: (push) => {
      heardPush(push as never);
      take(push, true);
      changed();
    },
    onSnapshot: (items) => {
      for (const item of items) take(item, false);
      changed();
      if (isFirst) arrived();
      else if (whole) within(SETTLE_MS, arrived);
    },
    onLeft: (thing, reason) => {
      fleet.gone(Number(thing.split("/")[1]), reason === "box" || reason === "absent", performance.now());
      changed();
    },
    onProgress: (_, timestamp) => heardTime(timestamp),
  });
  const arrived = (): void => {
    isFirst = false;
    first();
    look();
  };
  const within = (ms: number, run: () => void): void => {
    clearTimeout(whole);
    whole = setTimeout(() => {
      whole = undefined;
      run();
    }, ms);
  };
  const look = (): void => {
    timer = undefined;
    if (isFirst || whole || (asked && suffices(asked, viewOf(map)))) return;
    asked = boxAround(viewOf(map));
    sub.move({ bbox: asked });
  };
  const later = (): void => void (timer ??= setTimeout(look, SETTLE_MS));

  map.on("moveend", later);
  return {
    whole: () => {
      first();
      asked = undefined;
      sub.move({ bbox: undefined } as unknown as { bbox: Box });
      within(WHOLE_MS, look);
    },
    end: () => {
      clearTimeout(timer);
      clearTimeout(whole);
      map.off("moveend", later);
      sub.unsubscribe();
    },
  };
}
