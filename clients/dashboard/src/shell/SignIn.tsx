import { useEffect, useState, type FormEvent } from "react";
import { t } from "../i18n";
import { mayGuestsEnter, Session } from "../session";
import { Logo } from "./Logo";
import css from "./SignIn.module.css";

const AGAIN_MS = 5_000;

function useGuests(): boolean {
  const [mayEnter, setMayEnter] = useState<boolean>();

  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      const told = await mayGuestsEnter();
      if (isOver) return;
      if (told === undefined) timer = setTimeout(ask, AGAIN_MS);
      else setMayEnter(told);
    };

    void ask();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, []);
  return mayEnter === true;
}

export function SignIn({ why, enter }: { why: string; enter(session: Session): void }) {
  const [error, setError] = useState(why);
  const [isBusy, setBusy] = useState(false);
  const mayEnter = useGuests();

  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setError("");
    try {
      enter(await Session.signIn(`${form.get("username")}`, `${form.get("password")}`));
    } catch (refused) {
      setError((refused as Error).message);
      setBusy(false);
    }
  };
  return (
    <main className={css.page}>
      <form className={css.card} onSubmit={submit} aria-labelledby="sign-in">
        <Logo />
        <h1 id="sign-in">{t("session.title")}</h1>
        <label>{t("session.username")}<input name="username" autoComplete="username" autoCapitalize="none" required autoFocus /></label>
        <label>{t("session.password")}<input name="password" type="password" autoComplete="current-password" required /></label>
        <p role="alert" className={css.error}>{error}</p>
        <button type="submit" className="primary" disabled={isBusy}>{t("session.submit")}</button>
        {mayEnter && <button type="button" onClick={() => enter(Session.guest())}>{t("session.as_guest")}</button>}
      </form>
    </main>
  );
}
