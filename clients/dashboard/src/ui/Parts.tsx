import { useEffect, useRef, type ReactNode } from "react";
import { to, usePlace } from "../router";
import css from "./Parts.module.css";

export interface Part {
  /** In the address behind the page's; the first has none. */
  path: string;
  title: string;
  /** Something is to be done there. */
  count?: number | undefined;
  content(): ReactNode;
}

/** A page in parts, each with an address of its own. */
export function Parts({ page, label, parts }: { page: string; label: string; parts: readonly Part[] }) {
  const { rest: [path = ""] } = usePlace();
  const here = useRef<HTMLAnchorElement>(null);
  const current = parts.find((part) => part.path === path) ?? parts[0]!;

  /* On a phone they are more than there is room for. */
  useEffect(() => void here.current?.scrollIntoView({ block: "nearest", inline: "center" }), [current.path]);
  return (
    <>
      <nav className={css.parts} aria-label={label}>
        {parts.map((part) => (
          <a key={part.path} ref={part === current ? here : undefined} href={part.path ? to(page, part.path) : to(page)} aria-current={part === current ? "page" : undefined}>
            {part.title}{Boolean(part.count) && <span className={css.count}>{part.count}</span>}
          </a>
        ))}
      </nav>
      {current.content()}
    </>
  );
}
