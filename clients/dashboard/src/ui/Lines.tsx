import css from "./Lines.module.css";

export interface Line {
  key: string;
  head: string;
  text: string;
}

/** Lines of a log, the newest first. */
export function Lines({ label, lines }: { label: string; lines: Line[] }) {
  return (
    <ol className={css.lines} tabIndex={0} aria-label={label}>
      {lines.map(({ key, head, text }) => <li key={key}><time>{head}</time><span>{text}</span></li>)}
    </ol>
  );
}
