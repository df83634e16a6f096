/** Why a message could not be used, in words. */
import { en } from "../i18n/en";
import { t, type Plain } from "../i18n";

/** One that is not known here is as the gateway calls it. */
export function reasonOf(reason: string): string {
  const key = `letters.reason.${reason}`;

  return key in en ? t(key as Plain) : reason;
}
