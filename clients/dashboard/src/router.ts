/**
 * Where in the dashboard somebody is: `#/devices/3?tab=log`. Behind a `#`, so that it works below any path, and a server
 * needs to know of one document alone.
 */
import { useSyncExternalStore } from "react";

export interface Place {
  /** `devices`; empty at first. */
  readonly page: string;
  /** What follows: `["3"]`. */
  readonly rest: readonly string[];
  readonly query: URLSearchParams;
}

export function parse(hash: string): Place {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const [page = "", ...rest] = path.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });

  return { page, rest: rest.filter(Boolean), query: new URLSearchParams(query) };
}

/** The address of a place, for `href`. */
export function to(page: string, ...rest: (string | number)[]): string {
  return `#/${[page, ...rest].map((part) => encodeURIComponent(part)).join("/")}`;
}

export function go(href: string): void {
  location.hash = href;
}

let last: { hash: string; place: Place } | undefined;

function read(): Place {
  if (last?.hash !== location.hash) last = { hash: location.hash, place: parse(location.hash) };
  return last.place;
}

function subscribe(tell: () => void): () => void {
  addEventListener("hashchange", tell);
  return () => removeEventListener("hashchange", tell);
}

export const usePlace = (): Place => useSyncExternalStore(subscribe, read);
