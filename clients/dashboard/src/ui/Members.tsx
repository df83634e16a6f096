import { number, t, time } from "../i18n";
import css from "./Members.module.css";

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/;

/** Numbers as people read them: a position to a metre, the rest to three digits. */
export function shown(name: string, value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return number(value, /^(lat|lon)/.test(name) ? 5 : 3);
  if (typeof value === "boolean") return t(value ? "value.true" : "value.false");
  if (typeof value === "string" && ISO.test(value)) return time(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const MOST = 200;

/** What lies deeper, by the way to it. */
export function flat(data: unknown): [name: string, value: unknown][] {
  const found: [string, unknown][] = [];
  const look = (value: unknown, name: string): void => {
    if (found.length >= MOST) return;
    const isDeep = value !== null && typeof value === "object" && !Array.isArray(value) && Object.keys(value).length > 0;
    if (!isDeep) found.push([name, value]);
    else for (const [inner, deeper] of Object.entries(value)) look(deeper, name ? `${name} › ${inner}` : inner);
  };

  look(data, "");
  return found;
}

/** What a message says, member by member; all of it is text. */
export function Members({ data }: { data: unknown }) {
  return (
    <dl className={css.members}>
      {flat(data).map(([name, value]) => (
        <div key={name}>
          <dt>{name.replaceAll("_", " ") || t("value.value")}</dt>
          <dd data-unknown={value === null}>{shown(name, value)}</dd>
        </div>
      ))}
    </dl>
  );
}
