import { useClient } from "@tidegate/client/react";
import { useEffect, useState } from "react";
import { Failed, send } from "../data/api";
import { t } from "../i18n";
import { Members } from "../ui/Members";
import css from "./Letters.module.css";
import { base64, unescaped } from "./bytes";
import { reasonOf } from "./reasons";

interface Outcome {
  result?: "row" | "dead_letter" | "ignored";
  reason?: string;
  detail?: string | null;
  row?: Record<string, unknown>;
  set_aside?: { member?: string; reason: string }[];
}

interface Tried extends Outcome {
  elements?: Outcome[];
  left_out?: number;
}

const OURS = new Set(["may_register", "time_is", "said_time"]);

interface Message {
  /** Escaped, both; of `bytes` bytes the sample may be the beginning alone. */
  topic: string;
  sample: string;
  bytes: number;
}

/** The row that a message would make with lines of a configuration, or why there is none. Nothing is stored. */
export function Rows({ topic, sample, bytes, config }: Message & { config: string }) {
  const client = useClient();
  const [tried, setTried] = useState<Tried>();
  const [error, setError] = useState<string>();
  const isCut = unescaped(sample).length !== bytes;

  useEffect(() => {
    if (isCut) return;
    let isOver = false;
    const message = { topic: new TextDecoder().decode(unescaped(topic)), payload_base64: base64(unescaped(sample)) };
    send<Tried>(client, "POST", "api/routes/try", { ...message, config })
      .then((value) => isOver || setTried(value), (failed: Failed) => isOver || setError(failed.message));
    return () => { isOver = true; };
  }, [client, topic, sample, isCut, config]);
  return (
    <>
      <h3>{t("rows.title")}</h3>
      {isCut && <p className={css.what}>{t("rows.cut")}</p>}
      {error && <p role="alert" className={css.error}>{error}</p>}
      {!isCut && !tried && !error && <p role="status" className="quiet">{t("app.loading")}</p>}
      {tried && (tried.elements ?? [tried]).map((outcome, i) => <Row key={i} outcome={outcome} />)}
      {tried?.left_out && <p className={css.what}>{t("rows.left_out", { n: tried.left_out })}</p>}
    </>
  );
}

function Row({ outcome }: { outcome: Outcome }) {
  if (!outcome.row) return <p>{outcome.result === "ignored" ? t("rows.ignored") : t("rows.letter", { reason: reasonOf(outcome.reason ?? ""), detail: outcome.detail ?? "" })}</p>;
  const said = Object.entries(outcome.row).filter(([name, value]) => value !== null && !OURS.has(name));
  return (
    <section role="group" aria-label={t("rows.row")}>
      <Members data={Object.fromEntries(said)} />
      {outcome.set_aside?.map(({ member, reason }, i) => <p key={i} className={css.what}>{t("rows.aside", { member: member ?? "", reason: reasonOf(reason) })}</p>)}
    </section>
  );
}
