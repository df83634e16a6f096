/** What the nodes of a cluster say, and what of it somebody should look at: `/api/ws/stats?scope=cluster`. */
import { t, time } from "../i18n";
import type { Finding } from "./findings";

export interface Node {
  node: string;
  answered: boolean;
  last_seen: string;
  host: string;
  advertise: string | null;
  version: string;
  draining: boolean;
  slots: number;
  /** In its journal, not stored, as of its last sign of life. */
  waiting: number;
  /** null: it did not answer. */
  figures: Readonly<Record<string, number>> | null;
}

export interface Slot {
  slot: number;
  state: "held" | "silent" | "free";
  node: string | null;
}

/** What is acknowledged and not stored. */
export interface Missing {
  slot: number;
  journal: string;
  /** Whose disk has that journal, while it is known. */
  node: string | null;
  what: "in_journal" | "not_found" | "gone";
  after: number;
  last: number | null;
  messages: number | null;
  since: string;
}

export interface Cluster {
  nodes: readonly Node[];
  /** That are to have no slot, whether they are there or not. */
  drained: readonly string[];
  slots: readonly Slot[];
  missing: readonly Missing[];
}

/** Is there more than one gateway, or was there? */
export const isCluster = ({ nodes, drained, slots, missing }: Cluster): boolean =>
  nodes.length > 1 || slots.length > 1 || drained.length > 0 || missing.length > 0;

export type NodeState = "live" | "drained" | "draining" | "silent";

export function stateOf({ answered, draining, node }: Node, drained: readonly string[]): NodeState {
  if (!answered) return "silent";
  if (draining) return "draining";
  return drained.includes(node) ? "drained" : "live";
}

export const slotsOf = ({ slots }: Cluster, name: string): number[] => slots.filter(({ node }) => node === name).map(({ slot }) => slot);

/** Nobody knows how many a disk has: numbers of a journal leave some out. */
const howMany = ({ messages: n }: Missing): string => n === null ? t("cluster.missing.some") : t("cluster.missing.many", { n });

function missingOf(one: Missing): Finding {
  const { slot, journal, node, what, since } = one;
  const words = { slot: `${slot}`, many: howMany(one), since: time(since) };
  const key = `${what} ${journal} ${one.after}`;

  if (what === "gone") return { key, level: "bad", title: t("cluster.missing.gone", words), hint: t("cluster.missing.gone.hint") };
  if (what === "not_found") return { key, level: "bad", title: t("cluster.missing.not_found", words), hint: t("cluster.missing.not_found.hint") };
  return {
    key, level: "warn",
    title: node === null ? t("cluster.missing.disk.unnamed", words) : t("cluster.missing.disk", { ...words, node }),
    hint: t("cluster.missing.disk.hint", { journal }),
  };
}

function placeOf({ slot, state, node }: Slot): Finding[] {
  if (state === "held") return [];
  const title = state === "free" || node === null ? t("cluster.slot.nobody", { slot: `${slot}` }) : t("cluster.slot.silent", { slot: `${slot}`, node });

  return [{ key: `slot ${slot}`, level: "bad", title, hint: t("cluster.slot.hint") }];
}

/** The worst first. */
export function clusterFindings({ nodes, drained, slots, missing }: Cluster): Finding[] {
  const silent = nodes.filter(({ answered }) => !answered);
  const absent = drained.filter((name) => !nodes.some(({ node }) => node === name));
  const all: Finding[] = [
    ...slots.flatMap(placeOf),
    ...missing.map(missingOf),
    ...silent.map(({ node, last_seen: seen }): Finding =>
      ({ key: `node ${node}`, level: "warn", title: t("cluster.silent", { node, time: time(seen) }), hint: t("cluster.silent.hint") })),
    ...absent.map((node): Finding => ({ key: `drained ${node}`, level: "warn", title: t("cluster.absent", { node }), hint: t("cluster.absent.hint", { node }) })),
  ];

  return [...all.filter(({ level }) => level === "bad"), ...all.filter(({ level }) => level === "warn")];
}
