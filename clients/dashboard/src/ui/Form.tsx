import { useId, useRef, useState, type FormEvent } from "react";
import { t } from "../i18n";
import { Dialog } from "./Dialog";
import dialog from "./Dialog.module.css";
import { placed, type Placed } from "./errors";
import css from "./Form.module.css";

export interface Field {
  name: string;
  label: string;
  hint?: string;
  type?: "text" | "password" | "number";
  value?: string;
  isNeeded?: boolean;
  /** One of these. */
  options?: readonly { value: string; label: string }[];
  /** Proposed, and others may be. */
  known?: readonly string[];
}

interface Props {
  title: string;
  text?: string | undefined;
  fields: readonly Field[];
  yes: string;
  act(values: Record<string, string>): Promise<unknown>;
  close(): void;
}

/** Asks for something, and says at its field what is wrong with it. */
export function Form({ title, text, fields, yes, act, close }: Props) {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<Placed>();
  const form = useRef<HTMLFormElement>(null);
  const id = useId();

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const given = new FormData(form.current!);
    setBusy(true);
    setError(undefined);
    try {
      await act(Object.fromEntries(fields.map(({ name }) => [name, `${given.get(name) ?? ""}`])));
    } catch (refused) {
      const found = placed(refused as Error, fields.map(({ name }) => name));
      setError(found);
      setBusy(false);
      if (found.field) (form.current!.elements.namedItem(found.field) as HTMLElement | null)?.focus();
      return;
    }
    close();
  };
  return (
    <Dialog title={title} close={close}>
      {text && <p className={css.text}>{text}</p>}
      <form ref={form} className={css.form} onSubmit={(event) => void submit(event)}>
        {fields.map((field, n) => <One key={field.name} id={`${id}-${field.name}`} field={field} isFirst={n === 0} wrong={error?.field === field.name ? error.message : ""} />)}
        <p role="alert" className={dialog.error}>{error && !error.field ? error.message : ""}</p>
        <div className={dialog.answers}>
          <button type="button" onClick={close}>{t("dialog.cancel")}</button>
          <button type="submit" className="primary" disabled={isBusy}>{yes}</button>
        </div>
      </form>
    </Dialog>
  );
}

function One({ id, field: { name, label, hint, type = "text", value = "", isNeeded = false, options, known }, isFirst, wrong }:
  { id: string; field: Field; isFirst: boolean; wrong: string }) {
  const common = { id, name, defaultValue: value, required: isNeeded, "data-focus": isFirst || undefined, "aria-invalid": Boolean(wrong), "aria-describedby": `${id}-hint ${id}-wrong` };

  return (
    <div className={css.field}>
      <label htmlFor={id}>{label}{!isNeeded && !options && <small> {t("form.optional")}</small>}</label>
      {options ? <select {...common}>{options.map((one) => <option key={one.value} value={one.value}>{one.label}</option>)}</select>
        : <input {...common} type={type} autoComplete={type === "password" ? "new-password" : "off"} autoCapitalize="none" spellCheck={false} list={known && `${id}-known`} />}
      {known && <datalist id={`${id}-known`}>{known.map((one) => <option key={one} value={one} />)}</datalist>}
      <p id={`${id}-hint`} className={css.hint}>{hint}</p>
      <p id={`${id}-wrong`} className={css.wrong} role="alert">{wrong}</p>
    </div>
  );
}
