import { t } from "../i18n";
import type { Finding } from "./findings";
import css from "./Overview.module.css";

/** What is wrong, the worst first. @param well what is said where nothing is */
export function Verdict({ found, well }: { found: readonly Finding[]; well: string }) {
  return (
    <section className={css.verdict} aria-live="polite" aria-label={t("operation.verdict")}>
      {found.length === 0 && <p className={css.well}><span className={css.dot} data-level="good" aria-hidden="true" />{well}</p>}
      {found.length > 0 && (
        <ul>
          {found.map(({ key, level, title, hint }) => (
            <li key={key} data-level={level}>
              <span className={css.dot} data-level={level} aria-hidden="true" />
              <div><strong>{title}</strong><p>{hint}</p></div>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
