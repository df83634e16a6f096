/** What the gateway says of itself: `/api/ws/stats`, `/readyz` and `/metrics`, asked together. */
import type { Client } from "@tidegate/client";
import { ask } from "../data/api";
import { t } from "../i18n";

export interface Slow {
  connected_at: string;
  client_info: { dialect: string; user_id: number | null; device_id: number | null };
  queued: number;
  queued_bytes: number;
  lag_seconds: number;
  sent: number;
  conflated: number;
  dropped: number;
}

export interface Stats {
  timestamp: string;
  active_connections: number;
  slowest: Slow[];
  accounting: { received: number; committed: number; duplicate: number; in_journal: number; dead_lettered: number; drift?: number };
  rates: { received_per_second: number; committed_per_second: number; offered_per_second: number; sent_per_second: number };
  fanout: Record<string, number>;
  connections_by_dialect: Record<string, number>;
  outbox: { length: number; dropped: number };
  journal: { bytes: number; high_bytes?: number; segments: number; full: boolean };
  lease?: { held: boolean; holder: string | null };
  database: { connected: boolean };
  mqtt: { connected: boolean };
}

export interface Readiness {
  status: "ready" | "not_ready" | "standby";
  reasons?: string[];
  notes?: string[];
  holder?: string;
  sqlstate?: string;
}

export type Metrics = ReadonlyMap<string, number>;

export interface Told {
  stats: Stats;
  ready: Readiness;
  metrics: Metrics;
}

/** Prometheus' text: `name{labels}` to its value. */
export function readMetrics(text: string): Metrics {
  const found = new Map<string, number>();

  for (const line of text.split("\n")) {
    const at = line.lastIndexOf(" ");
    const value = Number(line.slice(at + 1));
    if (at > 0 && !line.startsWith("#") && !Number.isNaN(value)) found.set(line.slice(0, at), value);
  }
  return found;
}

async function textOf(client: Client, path: string, signal: AbortSignal): Promise<string> {
  const answer = await client.fetch(path, { cache: "no-store", credentials: "omit", signal });

  /* it answers 503 where something is wrong, and says what */
  if (!answer.ok && answer.status !== 503) throw new Error(t("app.error", { status: answer.status, message: "" }));
  return answer.text();
}

export async function askGateway(client: Client, signal: AbortSignal): Promise<Told> {
  const [stats, ready, metrics] = await Promise.all([
    ask<Stats>(client, "api/ws/stats", { signal }),
    textOf(client, "readyz", signal),
    textOf(client, "metrics", signal),
  ]);

  return { stats, ready: JSON.parse(ready) as Readiness, metrics: readMetrics(metrics) };
}
