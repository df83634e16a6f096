import { useEffect, useId, useRef, type ReactNode } from "react";
import { t } from "../i18n";
import css from "./Dialog.module.css";
import { Icon } from "./Icon";

interface Props {
  title: string;
  close(): void;
  children: ReactNode;
  /** Only what is in it closes it: it shows what is not shown again. */
  isFirm?: boolean;
}

/** Before everything else, until it is closed: Escape does, and the keyboard stays in it. It begins at what has `data-focus`. */
export function Dialog({ title, close, children, isFirm = false }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();

  useEffect(() => {
    const shown = dialog.current!;
    shown.showModal();
    shown.querySelector<HTMLElement>("[data-focus]")?.focus();
    return () => shown.close();
  }, []);
  return (
    <dialog ref={dialog} className={css.dialog} aria-labelledby={id} onCancel={(event) => {
      event.preventDefault();
      if (!isFirm) close();
    }} onClose={() => {
      /* a browser closes one that has not let itself be cancelled twice */
      if (dialog.current?.open) return;
      if (isFirm) dialog.current?.showModal();
      else close();
    }}>
      <header>
        <h2 id={id}>{title}</h2>
        {!isFirm && <button type="button" className="icon" onClick={close} aria-label={t("dialog.close")}><Icon name="close" /></button>}
      </header>
      {children}
    </dialog>
  );
}
