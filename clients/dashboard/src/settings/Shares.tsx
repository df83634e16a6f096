import { useClient } from "@tidegate/client/react";
import { useState, type FormEvent } from "react";
import { send, useAsked } from "../data/api";
import { t, time } from "../i18n";
import dialog from "../ui/Dialog.module.css";
import { placed } from "../ui/errors";
import type { Share } from "./gateway";
import css from "./Things.module.css";

/** Who else sees it. @param path of the thing, as `devices/3` */
export function Shares({ path, known }: { path: string; known: readonly string[] }) {
  const client = useClient();
  const { value, error, again } = useAsked<{ items: Share[] }>(`api/manage/${path}/shares`);
  const [wrong, setWrong] = useState("");

  const change = async (run: () => Promise<unknown>): Promise<boolean> => {
    setWrong("");
    try {
      await run();
      again();
      return true;
    } catch (refused) {
      setWrong(placed(refused as Error, ["user"]).message);
      return false;
    }
  };
  const add = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget;
    const user = `${new FormData(form).get("user")}`;
    if (await change(() => send(client, "PUT", `api/manage/${path}/shares`, { user }))) form.reset();
  };

  return (
    <>
      {error && <p role="alert" className={css.error}>{error.message}</p>}
      {value?.items.length === 0 && <p className={css.told}>{t("shares.none")}</p>}
      <ul className={css.acts} aria-label={t("shares.title")}>
        {value?.items.map((share) => (
          <li key={share.id}>
            <div><strong>{share.user}</strong><p>{t("shares.since", { time: time(share.created_at) })}</p></div>
            <button type="button" aria-label={t("shares.end.of", { user: share.user })}
              onClick={() => void change(() => send(client, "DELETE", `api/manage/shares/${share.id}`))}>{t("shares.end")}</button>
          </li>
        ))}
      </ul>
      <form className={css.share} onSubmit={(event) => void add(event)}>
        <label>{t("shares.with")}
          <input name="user" required autoComplete="off" autoCapitalize="none" list="shares-known" aria-invalid={Boolean(wrong)} aria-describedby="shares-wrong" />
        </label>
        <datalist id="shares-known">{known.map((name) => <option key={name} value={name} />)}</datalist>
        <button type="submit" className="primary">{t("shares.add")}</button>
      </form>
      <p id="shares-wrong" role="alert" className={dialog.error}>{wrong}</p>
    </>
  );
}
