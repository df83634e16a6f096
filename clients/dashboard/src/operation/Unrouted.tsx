import { useState } from "react";
import { useAsked } from "../data/api";
import { now } from "../data/clock";
import { ago, number, t } from "../i18n";
import { Copy } from "../ui/Copy";
import { Dialog } from "../ui/Dialog";
import { Members } from "../ui/Members";
import { readable } from "./bytes";
import { Rows } from "./Rows";
import table from "../ui/Table.module.css";
import css from "./Letters.module.css";

interface Topic {
  topic: string;
  messages: number;
  per_minute: number;
  last_seen: string;
  example: string;
  bytes: number;
  sample: string;
  form: "empty" | "null" | "bool" | "number" | "json" | "object" | "text" | "binary";
  members?: Record<string, string>;
  /** Lines of a configuration that would take it. */
  route: string | null;
}

interface Seen {
  at: string | null;
  messages: number;
  shapes: number;
  displaced: number;
  unrouted: Topic[];
}

const EVERY_MS = 5_000;
const EXPLORE = "[mqtt]\nexplore = #";

/** What the broker has and no route takes, and how one would. */
export function Unrouted() {
  const { value, error, isBusy } = useAsked<Seen>("api/routes/unrouted", EVERY_MS);
  const [chosen, choose] = useState<Topic>();

  return (
    <div className={css.letters}>
      <p className={css.what}>{t("unrouted.what")}</p>
      {error && <p role="alert" className={css.error}>{error.message}</p>}
      {!value && isBusy && <p role="status" className="quiet">{t("app.loading")}</p>}
      {value && value.at === null && (
        <section className="panel">
          <h2>{t("unrouted.unset")}</h2>
          <p>{t("unrouted.unset.how")}</p>
          <Copy text={EXPLORE} label={t("unrouted.ini")} />
        </section>
      )}
      {value && value.at !== null && (
        <div className={table.scroll} role="region" aria-label={t("unrouted.title")} tabIndex={0}>
          {value.unrouted.length === 0 ? <p className={table.none}>{t("unrouted.none")}</p> : (
            <table className={table.table}>
              <thead><tr>
                <th scope="col">{t("letters.topic")}</th>
                <th scope="col" data-number>{t("unrouted.messages")}</th>
                <th scope="col" data-number>{t("unrouted.per_minute")}</th>
                <th scope="col">{t("unrouted.form")}</th>
                <th scope="col">{t("letters.last")}</th>
                <th scope="col"><span className="unseen">{t("letters.acts")}</span></th>
              </tr></thead>
              <tbody>
                {value.unrouted.map((topic) => (
                  <tr key={topic.topic}>
                    <th scope="row" data-long><code>{topic.topic}</code></th>
                    <td data-number data-label={t("unrouted.messages")}>{number(topic.messages)}</td>
                    <td data-number data-label={t("unrouted.per_minute")}>{number(topic.per_minute)}</td>
                    <td data-label={t("unrouted.form")}>{t(`unrouted.form.${topic.form}`)}</td>
                    <td data-label={t("letters.last")}>{ago(topic.last_seen, now())}</td>
                    <td><div className={table.acts}><button type="button" onClick={() => choose(topic)}>{t("unrouted.make")}</button></div></td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </div>
      )}
      {value && value.displaced > 0 && <p className={css.what}>{t("unrouted.displaced", { n: value.displaced })}</p>}
      {chosen && <Make topic={chosen} close={() => choose(undefined)} />}
    </div>
  );
}

/** The lines of a route, what they would make, and what they are made from. */
function Make({ topic, close }: { topic: Topic; close(): void }) {
  return (
    <Dialog title={t("unrouted.make.title", { topic: topic.topic })} close={close}>
      <h3>{t("unrouted.ini")}</h3>
      {topic.route === null ? <p>{t("unrouted.no_route")}</p> : (
        <>
          <p className={css.what}>{t("unrouted.how")}</p>
          <Copy text={topic.route} label={t("unrouted.ini")} />
          <Rows topic={topic.example} sample={topic.sample} bytes={topic.bytes} config={topic.route} />
        </>
      )}
      <h3>{t("unrouted.sample")}</h3>
      <p className={css.what}>{t("unrouted.sample.of", { topic: topic.example })}</p>
      <section className={css.one}><pre tabIndex={0} role="region" aria-label={t("unrouted.sample")}>{readable(topic.sample)}</pre></section>
      {topic.members && (
        <>
          <h3>{t("unrouted.members")}</h3>
          <Members data={topic.members} />
        </>
      )}
    </Dialog>
  );
}
