import { useConnection, useClient } from "@tidegate/client/react";
import { lazy, Suspense, useEffect, useRef, useState, type ComponentType } from "react";
import { useClockLook } from "../data/clock";
import { useStoredLook, useUnstored } from "../data/stored";
import { t } from "../i18n";
import { pages, type Page } from "../pages";
import { to, usePlace } from "../router";
import { choose, useTheme, type Theme } from "../theme";
import { Icon, type IconName } from "../ui/Icon";
import { useTick } from "../ui/useSlow";
import { ConnectionLight } from "./ConnectionLight";
import { useSession, useUser } from "./context";
import { ErrorBoundary } from "./ErrorBoundary";
import { Logo } from "./Logo";
import css from "./Shell.module.css";
import { Tour } from "./Tour";

const loaded = new Map<Page, ComponentType>();

function componentOf(page: Page): ComponentType {
  const found = loaded.get(page) ?? lazy(page.load);

  loaded.set(page, found);
  return found;
}

/** What is around each page: where one may go, who looks, and whether it is live. */
export function Shell() {
  const place = usePlace();
  const user = useUser();
  const mine = pages.filter((page) => !page.isForAdmins || user?.role === "admin");
  const page = place.page ? mine.find(({ path }) => path === place.page) : mine[0];
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const isUnknown = !page && user === undefined && pages.some(({ path }) => path === place.page); // who looks is not known yet
  const title = page ? t(page.title) : t(isUnknown ? "app.loading" : "app.nowhere");

  useClockLook();
  useEffect(() => {
    document.title = `${title} – ${t("app.name")}`;
    if (isFirst.current) isFirst.current = false;
    else main.current?.focus();
  }, [title]);
  return (
    <div className={css.shell}>
      <a className="skip" href="#main" onClick={(event) => {
        event.preventDefault();
        main.current?.focus();
      }}>{t("app.skip")}</a>
      <header className={css.header}>
        <a href={to("")} className={css.brand}><Logo /></a>
        <ConnectionLight />
        <Who />
      </header>
      <Navigation pages={mine} current={page} />
      <main id="main" ref={main} tabIndex={-1} className={css.main} data-page={page?.path}>
        <Ended />
        <Unstored />
        <ErrorBoundary key={page?.path}>
          <Suspense fallback={<p className="quiet" role="status">{t("app.loading")}</p>}>
            <Shown page={page} title={title} />
          </Suspense>
        </ErrorBoundary>
      </main>
      <Tour />
    </div>
  );
}

/** A page that is left open goes into the next day also where nothing comes. */
const REDRAW_MS = 60_000;

function Shown({ page, title }: { page: Page | undefined; title: string }) {
  useTick(REDRAW_MS);
  if (!page) return <section className="notice"><h1>{title}</h1></section>;
  const Component = componentOf(page);
  return <Component />;
}

const AT_HAND = 4;

function Navigation({ pages: all, current }: { pages: Page[]; current: Page | undefined }) {
  const [isOpen, setOpen] = useState(false);

  return (
    <nav className={css.nav} aria-label={t("app.navigation")} data-open={isOpen}>
      <ul>
        {all.map((page, n) => (
          <li key={page.path} data-extra={n >= AT_HAND}>
            <a href={to(page.path)} aria-current={page === current ? "page" : undefined} onClick={() => setOpen(false)}>
              <Icon name={page.icon} /><span>{t(page.title)}</span>
            </a>
          </li>
        ))}
        {all.length > AT_HAND && (
          <li className={css.more}>
            <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
              <Icon name="more" /><span>{t("app.more")}</span>
            </button>
          </li>
        )}
      </ul>
    </nav>
  );
}

const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const ICONS: Record<Theme, IconName> = { auto: "auto", light: "sun", dark: "moon" };

function Who() {
  const { session, signOut } = useSession();
  const user = useUser();
  const theme = useTheme();

  return (
    <div className={css.who}>
      <span className={css.name}>{session.isGuest ? t("session.guest") : user?.username}</span>
      <button type="button" className="icon" onClick={() => choose(NEXT[theme])} aria-label={t(`app.theme.${theme}`)} title={t(`app.theme.${theme}`)}>
        <Icon name={ICONS[theme]} />
      </button>
      <button type="button" className="icon" onClick={signOut} aria-label={t(session.isGuest ? "session.title" : "session.out")}
        title={t(session.isGuest ? "session.title" : "session.out")}>
        <Icon name="out" />
      </button>
    </div>
  );
}

/** The gateway has closed for good, and says why. */
function Ended() {
  const client = useClient();
  const { state, code, reason } = useConnection();

  if (state !== "closed") return null;
  return (
    <p role="alert" className="banner">
      {t("connection.ended", { reason: reason || String(code ?? "") })}
      <button type="button" onClick={() => client.connect()}>{t("connection.again")}</button>
    </p>
  );
}

function Unstored() {
  useStoredLook();
  return useUnstored() ? <p role="status" className="banner">{t("connection.unstored")}</p> : null;
}
