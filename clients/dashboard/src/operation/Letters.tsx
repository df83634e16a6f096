import { useClient } from "@tidegate/client/react";
import { useEffect, useState } from "react";
import { ask, send, useAsked, type Listing } from "../data/api";
import { now } from "../data/clock";
import { ago, number, t } from "../i18n";
import { Confirm } from "../ui/Confirm";
import table from "../ui/Table.module.css";
import { LetterList } from "./LetterList";
import css from "./Letters.module.css";
import { askFor, FIELDS, howMany, outcome, type Field, type Group, type Outcome, type States } from "./letters";
import { reasonOf } from "./reasons";

const EVERY_MS = 10_000;
const LOOK_MS = 500;
const SPANS = ["1h", "24h", "7d", ""] as const;
const MOST = 200;

/** What could not be used, in groups, and what to do about it. */
export function Letters() {
  const [by, setBy] = useState<readonly Field[]>(["reason", "route", "detail"]);
  const [span, setSpan] = useState<string>("24h");
  const { value, error, isBusy, again } = useAsked<Listing<Group>>(
    by.length ? `api/dead-letters?by=${by.join()}&limit=${MOST}${span && `&from=${span}`}` : null, EVERY_MS);
  const [looked, look] = useState<Group>();
  const [replayed, replay] = useState<Group>();
  const [unwanted, discard] = useState<Group>();
  const [forgotten, setForgotten] = useState<number>();
  const [asked, setAsked] = useState<{ asked: number; before: States }>();
  const client = useClient();
  const groups = value?.items ?? [];

  /* Page after page of them. */
  const each = async (group: Group, method: string, path: string): Promise<number> => {
    const query = askFor(group, span);
    let n = 0;
    let cursor: string | null = null;
    do {
      if (cursor) query.set("cursor", cursor);
      const answer: { asked?: number; discarded?: number; cursor: string | null } = await send(client, method, `${path}?${query}`);
      n += answer.asked ?? answer.discarded ?? 0;
      cursor = answer.cursor;
    } while (cursor);
    return n;
  };
  const take = async (group: Group): Promise<void> => {
    const { states: before } = await ask<{ states: States }>(client, "api/dead-letters/replay");
    setAsked({ asked: await each(group, "POST", "api/dead-letters/replay"), before });
  };
  const forget = async (group: Group): Promise<void> => {
    try {
      setForgotten(await each(group, "DELETE", "api/dead-letters"));
    } finally {
      again();
    }
  };

  return (
    <div className={css.letters}>
      <p className={css.what}>{t("letters.what")}</p>
      <div className={css.tools}>
        <fieldset>
          <legend>{t("letters.by")}</legend>
          {FIELDS.map((field) => (
            <button key={field} type="button" aria-pressed={by.includes(field)}
              onClick={() => setBy(FIELDS.filter((one) => (one === field) !== by.includes(one)))}>{t(`letters.${field}`)}</button>
          ))}
        </fieldset>
        <label>{t("letters.span")}
          <select value={span} onChange={(event) => setSpan(event.target.value)}>
            {SPANS.map((one) => <option key={one} value={one}>{t(`letters.span.${one || "all"}`)}</option>)}
          </select>
        </label>
      </div>
      {asked && <Replayed {...asked} done={again} close={() => setAsked(undefined)} />}
      {forgotten !== undefined && <p role="status" className={css.what}>{t("letters.discarded", { n: forgotten })}</p>}
      {error && <p role="alert" className={css.error}>{error.message}</p>}
      {!value && isBusy && <p role="status" className="quiet">{t("app.loading")}</p>}
      {value && (
        <div className={table.scroll} role="region" aria-label={t("letters.groups")} tabIndex={0}>
          {groups.length === 0 ? <p className={table.none}>{t("letters.none")}</p> : (
            <table className={table.table}>
              <thead><tr>
                <th scope="col" data-number>{t("letters.count")}</th>
                {by.map((field) => <th key={field} scope="col">{t(`letters.${field}`)}</th>)}
                <th scope="col">{t("letters.last")}</th>
                <th scope="col"><span className="unseen">{t("letters.acts")}</span></th>
              </tr></thead>
              <tbody>
                {groups.map((group) => (
                  <tr key={by.map((field) => group[field]).join("\n")}>
                    <td data-number data-label={t("letters.count")}><strong>{number(group.count)}</strong></td>
                    {by.map((field) => <Cell key={field} field={field} group={group} />)}
                    <td data-label={t("letters.last")}>{ago(group.last, now())}</td>
                    <td>
                      <div className={table.acts}>
                        <button type="button" onClick={() => look(group)}>{t("letters.look")}</button>
                        <button type="button" disabled={!askFor(group, span).size} onClick={() => replay(group)}>{t("letters.replay")}</button>
                        <button type="button" disabled={!askFor(group, span).size} onClick={() => discard(group)}>{t("letters.discard")}</button>
                      </div>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </div>
      )}
      {looked && <LetterList group={looked} from={span} close={() => look(undefined)} />}
      {replayed && <Ask group={replayed} n={howMany(groups, replayed)} act={() => take(replayed)} close={() => replay(undefined)} />}
      {unwanted && <Ask isFinal group={unwanted} n={howMany(groups, unwanted)} act={() => forget(unwanted)} close={() => discard(undefined)} />}
    </div>
  );
}

function Cell({ field, group }: { field: Field; group: Group }) {
  const value = group[field];

  if (field === "reason") return <td data-label={t("letters.reason")}>{reasonOf(value ?? "")}<br /><code className="quiet">{value}</code></td>;
  return <td data-label={t(`letters.${field}`)} data-long={field === "detail" || field === "topic" || undefined}>{value ? <code>{value}</code> : <span className="quiet">{t(field === "route" ? "letters.no_route" : "letters.no_value")}</span>}</td>;
}

function Ask({ group, n, isFinal = false, act, close }: { group: Group; n: number; isFinal?: boolean; act(): Promise<void>; close(): void }) {
  return (
    <Confirm title={t(isFinal ? "letters.discard.ask" : "letters.ask", { n })} yes={t(isFinal ? "letters.discard" : "letters.replay")} isFinal={isFinal} act={act} close={close}>
      <p>{t(isFinal ? "letters.discard.what" : "letters.ask.what")}</p>
      {n > group.count && <p>{t("letters.ask.more", { n, mine: group.count })}</p>}
    </Confirm>
  );
}

/** How many have come back, as they do. */
function Replayed({ asked, before, done, close }: { asked: number; before: States; done(): void; close(): void }) {
  const client = useClient();
  const [found, setFound] = useState<Outcome>({ back: 0, waiting: asked, again: 0 });

  useEffect(() => {
    const ended = new AbortController();
    const run = async (): Promise<void> => {
      for (;;) {
        const { states } = await ask<{ states: States }>(client, "api/dead-letters/replay", { signal: ended.signal });
        const came = outcome(asked, before, states);
        setFound(came);
        if (!came.waiting) return done();
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    };
    run().catch(() => {});
    return () => ended.abort();
  // eslint-disable-next-line react-hooks/exhaustive-deps -- once for what was asked
  }, [client, asked, before]);
  return (
    <div className={css.replayed} role="status" data-state={found.waiting ? "busy" : found.again ? "warn" : "good"}>
      <p>
        <strong>{t("letters.back", { n: found.back, asked })}</strong>{" "}
        {found.waiting > 0 && t("letters.waiting", { n: found.waiting })}{" "}
        {found.again > 0 && t("letters.again", { n: found.again })}
      </p>
      <progress max={asked} value={asked - found.waiting} aria-label={t("letters.progress")} />
      <button type="button" onClick={close}>{t("dialog.close")}</button>
    </div>
  );
}
