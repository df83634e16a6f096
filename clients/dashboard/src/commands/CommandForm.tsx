import { useCommand } from "@tidegate/client/react";
import { useState, type FormEvent } from "react";
import { now } from "../data/clock";
import { t, time } from "../i18n";
import { Badge, type Tone } from "../ui/Badge";
import css from "./CommandForm.module.css";
import { LAST } from "./useCommands";

export const TONES: Record<string, Tone> = {
  accepted: "info", published: "info", delivered: "info", executing: "info", done: "good", failed: "bad", expired: "warn", cancelled: "quiet",
};

export function CommandState({ state }: { state: string }) {
  return <Badge tone={TONES[state] ?? "quiet"}>{t(`command.${state}` as "command.done")}</Badge>;
}

/** What is not said is {}; what is no object is told. */
export function payloadOf(text: string): Record<string, unknown> {
  if (!text.trim()) return {};
  const found: unknown = JSON.parse(text);

  if (found === null || typeof found !== "object" || Array.isArray(found)) throw new Error();
  return found as Record<string, unknown>;
}

/** Tells a device to do something, and shows what becomes of it. */
export function CommandForm({ device }: { device: string }) {
  const { send, state, error } = useCommand();
  const [wrong, setWrong] = useState("");
  const [sent, setSent] = useState<{ action: string; at: number; end: AbortController }>();
  const [states, setStates] = useState<string[]>([]);

  if (state && states.at(-1) !== state.state) setStates([...states, state.state]);
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const action = `${form.get("action")}`.trim();
    const end = new AbortController();

    try {
      const payload = payloadOf(`${form.get("payload")}`);
      setWrong("");
      setStates([]);
      setSent({ action, at: now(), end });
      send({ device, action, payload, timeoutMs: 1000 * Number(form.get("timeout")) }, { signal: end.signal }).result.catch(() => {});
    } catch {
      setWrong(t("command.not_json"));
    }
  };
  const isOpen = sent && !error && !LAST.includes(state?.state ?? "");
  return (
    <form className={css.form} onSubmit={submit}>
      <label>{t("command.action")}<input name="action" required maxLength={128} placeholder="SET_MODE" autoComplete="off" /></label>
      <label>{t("command.payload")}<textarea name="payload" rows={3} placeholder='{"mode": "AUTO"}' spellCheck={false} /></label>
      <label>{t("command.timeout")}<input name="timeout" type="number" min={1} max={86400} defaultValue={30} /></label>
      <p role="alert" className={css.wrong}>{wrong || (error as Error | undefined)?.message}</p>
      <div className={css.buttons}>
        <button type="submit" className="primary">{t("command.send")}</button>
        {isOpen && <button type="button" onClick={() => sent.end.abort()}>{t("command.cancel")}</button>}
      </div>
      {sent && (
        <div role="status" className={css.states}>
          <span>{sent.action} · {time(sent.at)}</span>
          {states.map((one, n) => <CommandState key={n} state={one} />)}
          {state?.message && <span>{state.message}</span>}
        </div>
      )}
    </form>
  );
}
