/** What the dashboard says, in the language of who looks at it. */
import { now } from "../data/clock";
import { en } from "./en";

/** Names in braces are filled in: `{n} devices`. */
type Names<S> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
type Text<K extends Key> = (typeof en)[K] extends { one: infer A; other: infer B } ? A | B : (typeof en)[K];
type Values<K extends Key> = Record<Names<Text<K>>, string | number>;

export type Key = keyof typeof en;
/** Those with nothing to fill in. */
export type Plain = { [K in Key]: [Names<Text<K>>] extends [never] ? K : never }[Key];
/** Another language has a text for each key; of what is counted (`n`) one for each of its plurals. */
export type Table = Record<Key, string | Partial<Record<Intl.LDMLPluralRule, string>> & { other: string }>;

/** By the beginning of a language's tag. One more language is one more file beside en.ts, and a line here. */
const tables: Record<string, Table> = { en };

const wanted = (globalThis.navigator?.languages ?? ["en"]).find((tag) => tag.split("-")[0]! in tables) ?? "en";
const table = tables[wanted.split("-")[0]!]!;

/** The language with its region, for numbers and times. */
export const locale = wanted;
const plurals = new Intl.PluralRules(locale);

export function t<K extends Key>(key: K, ...[values]: [Names<Text<K>>] extends [never] ? [] : [Values<K>]): string {
  const found = table[key];
  const given = (values ?? {}) as Record<string, string | number>;
  const text = typeof found === "string" ? found : found[plurals.select(Number(given.n))] ?? found.other;

  return text.replace(/\{(\w+)\}/g, (_, name: string) =>
    typeof given[name] === "number" ? number(given[name]) : String(given[name]));
}

const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const digits = [0, 1, 2, 3, 4, 5].map((n) => new Intl.NumberFormat(locale, { maximumFractionDigits: n }));

export function number(value: number, most = 0): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) < 0.5 * 10 ** -(most || (Number.isInteger(value) ? 0 : 2))) return "0"; // and not -0
  return most ? digits[most]!.format(value) : Number.isInteger(value) ? whole.format(value) : digits[2]!.format(value);
}

const clock = new Intl.DateTimeFormat(locale, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
const zone = new Intl.DateTimeFormat(locale, { timeZoneName: "short" });
const HALF_DAY_MS = 43_200_000;
/** By how much clocks are put back somewhere (Lord Howe Island: by half an hour). */
const PUT_BACK_MS = [3_600_000, 1_800_000];

const putBackBetween = (from: number, to: number): number =>
  60_000 * (new Date(to).getTimezoneOffset() - new Date(from).getTimezoneOffset());

/** Do clocks here show this time twice, once before and once after they are put back? */
function isTwice(at: number): boolean {
  return PUT_BACK_MS.some((ms) => putBackBetween(at, at + ms) === ms || putBackBetween(at - ms, at) === ms);
}

const zoneOf = (date: Date): string => zone.formatToParts(date).find(({ type }) => type === "timeZoneName")?.value ?? "";

/** A time of the half day around now without its day; of an hour that there is twice, with its zone. */
export function time(value: string | number | null | undefined): string {
  const date = new Date(value ?? NaN);
  const at = date.getTime();

  if (Number.isNaN(at)) return "–";
  const text = (Math.abs(now() - at) < HALF_DAY_MS ? clock : day).format(date);
  return isTwice(at) ? `${text} ${zoneOf(date)}` : text;
}

const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
const STEPS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 365]] as const;

/** `3 min. ago`. @param now by the clock of the gateway, which is to be believed */
export function ago(value: string | number | null | undefined, now: number): string {
  let n = (new Date(value ?? NaN).getTime() - now) / 1000;

  if (Number.isNaN(n)) return "–";
  if (Math.abs(n) < 5) return relative.format(0, "second");
  for (const [unit, many] of STEPS) {
    if (Math.abs(n) < many) return relative.format(Math.round(n), unit);
    n /= many;
  }
  return relative.format(Math.round(n), "year");
}
