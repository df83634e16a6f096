import type { ReactNode } from "react";
import css from "./Badge.module.css";

export type Tone = "good" | "warn" | "bad" | "info" | "quiet";

/** A word with a colour; the word is enough. */
export function Badge({ tone, children }: { tone: Tone; children: ReactNode }) {
  return <span className={css.badge} data-tone={tone}>{children}</span>;
}
