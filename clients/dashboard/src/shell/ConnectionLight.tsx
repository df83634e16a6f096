import { useConnection } from "@tidegate/client/react";
import { t } from "../i18n";
import css from "./ConnectionLight.module.css";

/** Green: live; yellow: connecting; blue: polling. In words, too, for who sees no colours, or nothing. */
export function ConnectionLight() {
  const { state } = useConnection();
  const hint = state === "connecting" || state === "polling" ? t(`connection.${state}.hint`) : undefined;

  return (
    <span role="status" className={css.light} data-state={state} title={hint}>
      <span className={css.lamp} aria-hidden="true" />
      {t(`connection.${state}`)}
    </span>
  );
}
