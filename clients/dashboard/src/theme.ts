/** Light or dark: as the system has it, unless somebody chose. */
import { useSyncExternalStore } from "react";

export type Theme = "auto" | "light" | "dark";

const NAME = "tidegate.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();
let chosen: Theme = "auto";
let isOn: "light" | "dark" = "light";

function show(): void {
  isOn = chosen !== "auto" ? chosen : system.matches ? "dark" : "light";
  document.documentElement.dataset.theme = isOn;
  for (const tell of listeners) tell();
}

/** What is on the screen now: the system may be ahead of it, and who drew by that would draw in the colours of before. */
export const shown = (): "light" | "dark" => isOn;

/** Before anything is drawn. */
export function startTheme(): void {
  try {
    const kept = localStorage.getItem(NAME);
    if (kept === "light" || kept === "dark") chosen = kept;
  } catch {
    // no storage: as the system
  }
  system.addEventListener("change", show);
  show();
}

export function choose(theme: Theme): void {
  chosen = theme;
  try {
    if (theme === "auto") localStorage.removeItem(NAME);
    else localStorage.setItem(NAME, theme);
  } catch {
    // until the page is closed, then
  }
  show();
}

const subscribe = (tell: () => void): (() => void) => {
  listeners.add(tell);
  return () => void listeners.delete(tell);
};

export const useTheme = (): Theme => useSyncExternalStore(subscribe, () => chosen);
export const useShown = (): "light" | "dark" => useSyncExternalStore(subscribe, shown);
