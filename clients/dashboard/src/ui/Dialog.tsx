import { useEffect, useId, useRef, type ReactNode } from "react";
import { t } from "../i18n";
import css from "./Dialog.module.css";
import { Icon } from "./Icon";

/** Before everything else, until it is closed: Escape does, and the keyboard stays in it. */
export function Dialog({ title, close, children }: { title: string; close(): void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();

  useEffect(() => {
    const shown = dialog.current!;
    shown.showModal();
    return () => shown.close();
  }, []);
  return (
    <dialog ref={dialog} className={css.dialog} aria-labelledby={id} onCancel={(event) => {
      event.preventDefault();
      close();
    }}>
      <header>
        <h2 id={id}>{title}</h2>
        <button type="button" className="icon" onClick={close} aria-label={t("dialog.close")}><Icon name="close" /></button>
      </header>
      {children}
    </dialog>
  );
}
