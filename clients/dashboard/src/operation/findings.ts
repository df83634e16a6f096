/** What is wrong, in words that say what it means and what to do. */
import { number, t, time, type Plain } from "../i18n";
import { growth, since, type Sample } from "./history";
import type { Told } from "./gateway";

export interface Finding {
  key: string;
  level: "bad" | "warn";
  title: string;
  /** What follows from it, and what to do. */
  hint: string;
}

/** As `/readyz` names them. */
const REASONS = {
  database_away: "bad", broker_away: "bad", journal_full: "bad", journal_failed: "bad", accounting_drift: "bad", superseded: "bad", standby: "warn",
  registry_not_loaded: "bad", registry_stale: "warn", transaction_pooling: "warn", retention_held: "warn", subscriptions_refused: "warn",
  journal_gap: "bad", journal_files_gone: "bad", dead_letters_many: "warn", journals_left: "warn", letters_refused: "warn", uplink_copied: "warn", uplink_lost: "warn",
} as const satisfies Record<string, Finding["level"]>;

const LATE_SECONDS = 60;
const BEHIND_SECONDS = 5;
/** Of a limit: from here on it is said. */
const NEAR = 0.75;
/** So long a pace is looked at before it is believed, ms. */
const PACE_MS = 20_000;

const isKnown = (name: string): name is keyof typeof REASONS => name in REASONS;

/** `since 14:03:07`; at least since then where its beginning was not seen. */
function from(history: readonly Sample[], name: string): string {
  const found = since(history, name);

  if (!found) return "";
  return t(found.isExact ? "operation.since" : "operation.since.least", { time: time(found.at) });
}

/** `4.2 s`, `3 min`, `2 h`. */
export function lasts(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 90) return t("unit.s", { value: number(seconds, seconds < 10 ? 1 : 0) });
  return seconds < 5400 ? t("unit.min", { value: number(Math.round(seconds / 60)) }) : t("unit.h", { value: number(seconds / 3600, 1) });
}

function said({ stats, ready }: Told, history: readonly Sample[]): Finding[] {
  const last = history[history.length - 1];

  return [...ready.reasons ?? [], ...ready.notes ?? []].map((name) => {
    if (!isKnown(name)) return { key: name, level: "warn", title: t("operation.wrong.other", { name }), hint: t("operation.wrong.other.hint") };
    let hint = t(`operation.wrong.${name}.hint` as Plain);
    if (name === "database_away") {
      if (ready.sqlstate) hint = `${t("operation.sqlstate", { code: ready.sqlstate })} ${hint}`;
      const away = since(history, name);
      if (last && away && stats.accounting.in_journal > 0)
        hint = `${t("operation.waits", { n: stats.accounting.in_journal, age: lasts(Math.max(last.lagSeconds, (last.at - away.at) / 1000)) })} ${hint}`;
    }
    if (name === "standby" || name === "superseded") hint = `${t("operation.holder", { holder: ready.holder ?? "?" })} ${hint}`;
    return { key: name, level: REASONS[name], title: [t(`operation.wrong.${name}` as Plain), from(history, name)].filter(Boolean).join(", "), hint };
  });
}

/** How full the journal is, and how long it lasts at the pace of what was seen. */
function nearlyFull({ stats, metrics }: Told, history: readonly Sample[]): Finding[] {
  const used = stats.journal.bytes - (metrics.get("tidegate_journal_kept_bytes") ?? 0);
  const limit = stats.journal.high_bytes ?? 0;
  const [first, last] = [history[0], history.at(-1)];

  if (!limit || stats.journal.full || used < NEAR * limit) return [];
  const pace = first && last && last.at - first.at >= PACE_MS ? (last.journalBytes - first.journalBytes) / (last.at - first.at) : 0;
  const hint = [pace > 0 && t("operation.wrong.journal_near.pace", { time: lasts(Math.max(0, limit - used) / pace / 1000) }), t("operation.wrong.journal_near.hint")];
  return [{ key: "journal_near", level: "warn", title: t("operation.wrong.journal_near", { percent: Math.min(99, Math.floor(100 * used / limit)) }), hint: hint.filter(Boolean).join(" ") }];
}

/** What there may be so many of, all together: beyond that, one more is refused. */
const LIMITED = {
  sockets: ({ stats }: Told) => stats.active_connections,
  devices: ({ metrics }: Told) => metrics.get("tidegate_devices"),
  sparkplug_things: ({ metrics }: Told) => metrics.get("tidegate_sparkplug_things"),
  merged_documents: ({ metrics }: Told) => metrics.get("tidegate_merged_documents"),
} as const;

/** Which of these there are nearly as many of as may be. */
function nearLimits(told: Told): Finding[] {
  return (Object.keys(LIMITED) as (keyof typeof LIMITED)[]).flatMap((of): Finding[] => {
    const limit = told.metrics.get(`tidegate_limit{of="${of}"}`) ?? 0, used = LIMITED[of](told) ?? 0;

    if (!limit || used < NEAR * limit) return [];
    const words = { used: number(used), limit: number(limit) };
    return [{ key: `near_${of}`, level: "warn", title: t(`operation.wrong.near.${of}`, words), hint: t(`operation.wrong.near.${of}.hint`) }];
  });
}

/** What the gateway does not call a fault, but somebody should look at. */
function seen({ stats }: Told, history: readonly Sample[]): Finding[] {
  const found: Finding[] = [];
  const last = history[history.length - 1];
  const minutes = history.length > 1 ? Math.max(1, Math.round((last!.at - history[0]!.at) / 60_000)) : 1;
  const add = (key: string, title: string, hint: Plain): void => void found.push({ key, level: "warn", title, hint: t(hint) });
  const grown = { lettered: growth(history, "lettered"), shut: growth(history, "shut"), unshown: growth(history, "unshown") };
  const slow = stats.slowest.filter(({ lag_seconds }) => lag_seconds > BEHIND_SECONDS).length;

  if (last && stats.database.connected && last.lagSeconds > LATE_SECONDS)
    add("late", t("operation.wrong.late", { age: lasts(last.lagSeconds) }), "operation.wrong.late.hint");
  if (grown.lettered) add("lettered", t("operation.wrong.lettered", { n: grown.lettered, minutes }), "operation.wrong.lettered.hint");
  if (grown.unshown) add("unshown", t("operation.wrong.unshown", { n: grown.unshown, minutes }), "operation.wrong.unshown.hint");
  if (grown.shut) add("shut", t("operation.wrong.shut", { n: grown.shut, minutes }), "operation.wrong.shut.hint");
  if (slow) add("slow", t("operation.wrong.slow", { n: slow }), "operation.wrong.slow.hint");
  return found;
}

/** The worst first. */
export function findings(told: Told, history: readonly Sample[]): Finding[] {
  const all = [...said(told, history), ...nearlyFull(told, history), ...nearLimits(told), ...seen(told, history)];

  return [...all.filter(({ level }) => level === "bad"), ...all.filter(({ level }) => level === "warn")];
}
