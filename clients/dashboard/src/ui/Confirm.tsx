import { useState, type ReactNode } from "react";
import { t } from "../i18n";
import { Dialog } from "./Dialog";
import css from "./Dialog.module.css";
import { placed } from "./errors";

interface Props {
  title: string;
  /** What follows from it. */
  children: ReactNode;
  /** What the button says: what is done, not "OK". */
  yes: string;
  /** It cannot be undone. */
  isFinal?: boolean;
  act(): Promise<unknown>;
  close(): void;
}

/** Asks before something is done, says what went wrong, and is gone when it is done. */
export function Confirm({ title, children, yes, isFinal, act, close }: Props) {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState("");

  const run = async (): Promise<void> => {
    setBusy(true);
    setError("");
    try {
      await act();
    } catch (refused) {
      setError(placed(refused as Error, []).message);
      setBusy(false);
      return;
    }
    close();
  };
  return (
    <Dialog title={title} close={close}>
      {children}
      <p role="alert" className={css.error}>{error}</p>
      <div className={css.answers}>
        <button type="button" onClick={close} data-focus>{t("dialog.cancel")}</button>
        <button type="button" className={isFinal ? "danger" : "primary"} disabled={isBusy} onClick={() => void run()}>{yes}</button>
      </div>
    </Dialog>
  );
}
