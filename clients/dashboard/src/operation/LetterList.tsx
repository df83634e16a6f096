import { useClient } from "@tidegate/client/react";
import { useState } from "react";
import { ask, send, useAsked, type Listing } from "../data/api";
import { number, t, time } from "../i18n";
import { Dialog } from "../ui/Dialog";
import css from "./Letters.module.css";
import { askFor, type Group, type Letter } from "./letters";
import { reasonOf } from "./reasons";

const MOST = 100;
const LOOK_MS = 500;

/** The newest letters of a group, each with its payload. */
export function LetterList({ group, from, close }: { group: Group; from: string; close(): void }) {
  const { value, error } = useAsked<Listing<Letter>>(`api/dead-letters?limit=${MOST}&${askFor(group, from)}`);
  const mine = value?.items.filter(({ detail }) => group.detail === undefined || detail === group.detail);
  const [chosen, choose] = useState<number>();
  const shown = chosen ?? mine?.[0]?.id;

  return (
    <Dialog title={group.reason ? reasonOf(group.reason) : t("letters.list")} close={close}>
      {error && <p role="alert" className={css.error}>{error.message}</p>}
      {!value && !error && <p role="status">{t("app.loading")}</p>}
      {mine?.length === 0 && <p>{t("letters.gone")}</p>}
      {Boolean(mine?.length) && (
        <ul className={css.list} aria-label={t("letters.list")}>
          {mine!.map(({ id, received, topic, bytes }) => (
            <li key={id}>
              <button type="button" aria-pressed={id === shown} onClick={() => choose(id)}>
                <time dateTime={received}>{time(received)}</time><code>{topic}</code><span>{t("unit.b", { value: number(bytes) })}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      {shown !== undefined && <One key={shown} id={shown} />}
    </Dialog>
  );
}

function One({ id }: { id: number }) {
  const client = useClient();
  const { value, error } = useAsked<Letter>(`api/dead-letters/${id}`);
  const [told, setTold] = useState("");

  const replay = async (): Promise<void> => {
    try {
      let { state } = await send<{ state: string }>(client, "POST", `api/dead-letters/${id}/replay`);
      while (state === "waiting" || state === "taken") {
        setTold(t("letters.one.waiting"));
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
        ({ state } = await ask<{ state: string }>(client, `api/dead-letters/${id}/replay`));
      }
      setTold(state === "stored" || state === "gone" ? t("letters.one.stored") : t("letters.one.again", { reason: reasonOf(state) }));
    } catch (failed) {
      setTold((failed as Error).message);
    }
  };

  if (error) return <p role="alert" className={css.error}>{error.message}</p>;
  if (!value) return <p role="status">{t("app.loading")}</p>;
  return (
    <section className={css.one} aria-label={value.topic}>
      {value.detail && <p><strong>{value.detail}</strong></p>}
      <pre tabIndex={0} aria-label={t("letters.payload")}>{value.payload ?? t("letters.binary", { text: value.payload_base64 ?? "" })}</pre>
      <div className={css.acts}>
        <p role="status">{told}</p>
        <button type="button" onClick={() => void replay()}>{t("letters.one.replay")}</button>
      </div>
    </section>
  );
}
