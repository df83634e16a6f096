import { number, t } from "../i18n";
import css from "./Members.module.css";

/** Numbers as people read them: a position to a metre, the rest to three digits. */
export function shown(name: string, value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return number(value, /^(lat|lon)/.test(name) ? 5 : 3);
  if (typeof value === "boolean") return t(value ? "value.true" : "value.false");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** What a message says, member by member; all of it is text. */
export function Members({ data }: { data: unknown }) {
  const entries = data !== null && typeof data === "object" && !Array.isArray(data) ? Object.entries(data) : [["", data] as const];

  return (
    <dl className={css.members}>
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>{name.replaceAll("_", " ") || t("value.value")}</dt>
          <dd data-unknown={value === null}>{shown(name, value)}</dd>
        </div>
      ))}
    </dl>
  );
}
