import { useId, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import css from "./Tabs.module.css";

export interface Tab {
  key: string;
  title: string;
  content(): ReactNode;
}

/** One of several; arrows go from one to the other. */
export function Tabs({ tabs, first }: { tabs: Tab[]; first?: string }) {
  const [chosen, choose] = useState(first ?? tabs[0]!.key);
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const at = Math.max(0, tabs.findIndex(({ key }) => key === chosen));
  const turn = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];

    if (!step) return;
    const next = (at + step + tabs.length) % tabs.length;
    choose(tabs[next]!.key);
    (list.current?.children[next] as HTMLElement).focus();
  };

  return (
    <>
      <div className={css.tabs} role="tablist" ref={list} onKeyDown={turn}>
        {tabs.map(({ key, title }, n) => (
          <button key={key} type="button" role="tab" id={`${id}-${key}`} aria-selected={n === at} aria-controls={`${id}-panel`}
            tabIndex={n === at ? 0 : -1} onClick={() => choose(key)}>{title}</button>
        ))}
      </div>
      <div className={css.panel} role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${tabs[at]!.key}`} tabIndex={0} key={tabs[at]!.key}>
        {tabs[at]!.content()}
      </div>
    </>
  );
}
