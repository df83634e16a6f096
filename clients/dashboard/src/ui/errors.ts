/** At which field an answer of the gateway belongs, and what it says in words. */
import { Failed } from "../data/api";
import { t } from "../i18n";

export interface Placed {
  field?: string;
  message: string;
}

/** What may be taken already, or may not be there, of what is asked for in forms. */
const TAKEN = ["username", "code", "identifier"];
const MISSING = ["user", "devices"];

export function placed(error: Error, names: readonly string[]): Placed {
  if (!(error instanceof Failed)) return { message: error.message };
  const [, name, rest] = /^(\w+): (?:allowed: )?(.*)$/s.exec(error.detail ?? "") ?? [];
  const at = (candidates: readonly string[], message: string): Placed => {
    const field = candidates.find((one) => names.includes(one));
    return field ? { field, message } : { message };
  };

  if (name && names.includes(name)) return { field: name, message: t("form.allowed", { what: rest! }) };
  if (error.status === 409 && error.code === "conflict") return at(TAKEN, t("form.taken"));
  if (error.status === 422) return at(MISSING, t("form.missing"));
  if (error.status === 403) return { message: t("form.forbidden") };
  if (error.status === 409 && error.code === "yourself") return { message: t("form.yourself") };
  if (error.status === 429) return { message: t("form.too_many") };
  return { message: error.message };
}
