import { useSyncExternalStore } from "react";

const query = matchMedia("(max-width: 48rem)");

function subscribe(tell: () => void): () => void {
  query.addEventListener("change", tell);
  return () => query.removeEventListener("change", tell);
}

/** Is there room for one thing at a time? The same width as in the style sheets. */
export const usePhone = (): boolean => useSyncExternalStore(subscribe, () => query.matches);
