import { useEffect, useRef, useState } from "react";
import { t, type Plain } from "../i18n";
import { go, to, usePlace } from "../router";
import css from "./Tour.module.css";

const NAME = "tidegate.toured";
const STEPS = ["map", "devices", "alerts", "people", "cameras", "playback"] as const;

function isOver(): boolean {
  try {
    return localStorage.getItem(NAME) !== null;
  } catch {
    return false;
  }
}

/** Whoever has seen or skipped it is not asked again, by this browser. */
function end(): void {
  try {
    localStorage.setItem(NAME, "1");
  } catch {
    // until the page is opened anew, then
  }
}

/** The first minute of a demo, where its address asks for it (`#/?tour`): what there is to see, page by page. */
export function Tour() {
  const { query } = usePlace();
  const [isShown, setShown] = useState(() => query.has("tour") && !isOver());

  if (!isShown) return null;
  return <Card close={() => {
    end();
    setShown(false);
    document.getElementById("main")?.focus();
  }} />;
}

function Card({ close }: { close(): void }) {
  const [step, setStep] = useState(0);
  const { page } = usePlace();
  const heading = useRef<HTMLHeadingElement>(null);
  const path = STEPS[step]!;
  const isLast = step === STEPS.length - 1;
  const turn = (next: number): void => {
    setStep(next);
    go(to(STEPS[next]!));
  };

  // With each step, and again once its page is there, which takes the focus for itself.
  useEffect(() => {
    if (page && page !== path) return;
    const timer = setTimeout(() => heading.current?.focus());
    return () => clearTimeout(timer);
  }, [path, page]);
  useEffect(() => {
    const key = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open]")) close();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  });
  return (
    <section role="dialog" aria-labelledby="tour" aria-describedby="tour-words" className={css.card} data-at={path}>
      <p className={css.step}>{t("tour.step", { at: step + 1, of: STEPS.length })}</p>
      <h2 id="tour" ref={heading} tabIndex={-1}>{t(`tour.${path}` satisfies Plain)}</h2>
      <p id="tour-words">{t(`tour.${path}.words` satisfies Plain)}</p>
      <div className={css.answers}>
        {!isLast && <button type="button" onClick={close}>{t("tour.skip")}</button>}
        {step > 0 && <button type="button" onClick={() => turn(step - 1)}>{t("tour.back")}</button>}
        {isLast
          ? <button type="button" className="primary" onClick={close}>{t("tour.end")}</button>
          : <button type="button" className="primary" onClick={() => turn(step + 1)}>{t("tour.next")}</button>}
      </div>
    </section>
  );
}
