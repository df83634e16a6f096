import { useRef, useState } from "react";
import { t } from "../i18n";
import css from "./Copy.module.css";

/** A text to take along. Where the browser gives pages no clipboard (no https), it is selected, for the keyboard to copy. */
export function Copy({ text, label }: { text: string; label: string }) {
  const shown = useRef<HTMLPreElement>(null);
  const [told, setTold] = useState("");

  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setTold(t("copy.done"));
    } catch {
      getSelection()?.selectAllChildren(shown.current!);
      setTold(t("copy.selected"));
    }
  };
  return (
    <div className={css.copy}>
      <pre ref={shown} tabIndex={0} role="region" aria-label={label}>{text}</pre>
      <div><span role="status">{told}</span><button type="button" onClick={() => void copy()}>{t("copy.copy")}</button></div>
    </div>
  );
}
