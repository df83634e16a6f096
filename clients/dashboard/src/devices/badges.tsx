import type { DeviceWithClock } from "@tidegate/client";
import { t } from "../i18n";
import { Badge } from "../ui/Badge";

const TONES = { online: "good", warning: "warn", error: "bad", offline: "quiet" } as const;

export function Status({ status }: { status: DeviceWithClock["status"] }) {
  return <Badge tone={TONES[status] ?? "quiet"}>{t(`status.${status}`)}</Badge>;
}

function span(ms: number): string {
  const seconds = Math.abs(ms) / 1000;
  return seconds < 120 ? t("span.seconds", { n: Math.round(seconds) })
    : seconds < 7200 ? t("span.minutes", { n: Math.round(seconds / 60) })
      : seconds < 172_800 ? t("span.hours", { n: Math.round(seconds / 3600) }) : t("span.days", { n: Math.round(seconds / 86_400) });
}

/** What its clock is worth, by the times that it says. */
export function Clock({ clock }: { clock: DeviceWithClock["clock"] }) {
  if (!clock) return <span className="quiet">–</span>;
  const { verdict, offset_ms: offset } = clock;
  const text = t(`clock.${verdict}`);

  if (verdict === "ok") return <Badge tone="good">{text}</Badge>;
  return <Badge tone="warn">{offset === null ? text : `${text} ${span(offset)}`}</Badge>;
}
