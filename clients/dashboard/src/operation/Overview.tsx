import { number, t, time } from "../i18n";
import { Sparkline } from "../ui/Sparkline";
import { findings, lasts, type Finding } from "./findings";
import type { Slow, Told } from "./gateway";
import { useWatched, type Line, type Sample } from "./history";
import css from "./Overview.module.css";
import { Verdict } from "./Verdict";

const unreachable = (): Finding => ({ key: "unreachable", level: "bad", title: t("operation.wrong.unreachable"), hint: t("operation.wrong.unreachable.hint") });

/** How it goes, and what is wrong. */
export function Overview() {
  const { told, history, error } = useWatched();

  if (!told) return error ? <p role="alert" className={css.error}>{error.message}</p> : <p className="quiet" role="status">{t("app.loading")}</p>;
  return (
    <div className={css.overview}>
      <Verdict found={[...error ? [unreachable()] : [], ...findings(told, history)]} well={t("operation.well")} />
      <Services told={told} history={history} isStale={Boolean(error)} />
      <Numbers told={told} history={history} />
      <div className={css.two}>
        <Books told={told} />
        <Viewers told={told} />
      </div>
      <p className={css.at}>{t("operation.at", { time: time(told.stats.timestamp) })}</p>
    </div>
  );
}

/** @param isStale nobody knows whether that still holds */
function Services({ told: { stats, ready }, history, isStale }: { told: Told; history: readonly Sample[]; isStale: boolean }) {
  const last = history[history.length - 1];
  const all = [
    { name: t("operation.broker"), isWell: stats.mqtt.connected, says: t(stats.mqtt.connected ? "operation.connected" : "operation.away") },
    { name: t("operation.database"), isWell: stats.database.connected, says: t(stats.database.connected ? "operation.connected" : "operation.away") },
    { name: t("operation.journal"), isWell: !stats.journal.full && !ready.reasons?.includes("journal_failed"),
      says: stats.journal.full ? t("operation.full") : t("operation.bytes_waiting", { size: bytes(last?.journalBytes ?? NaN) }) },
    { name: t("operation.lease"), isWell: stats.lease?.held ?? true, says: stats.lease?.held ?? true ? t("operation.lease.held") : t("operation.lease.other", { holder: stats.lease?.holder ?? "?" }) },
  ];

  return (
    <dl className={css.services}>
      {all.map(({ name, isWell, says }) => (
        <div key={name}>
          <dt><span className={css.dot} data-level={isStale ? undefined : isWell ? "good" : "bad"} aria-hidden="true" />{name}</dt>
          <dd>{says}</dd>
        </div>
      ))}
    </dl>
  );
}

const KB = 1000;

/** `12 kB`: as disks are measured. */
export function bytes(n: number): string {
  if (!Number.isFinite(n)) return "–";
  if (n < KB) return t("unit.b", { value: number(n) });
  if (n < KB ** 2) return t("unit.kb", { value: number(n / KB, n < 10 * KB ? 1 : 0) });
  return n < KB ** 3 ? t("unit.mb", { value: number(n / KB ** 2, 1) }) : t("unit.gb", { value: number(n / KB ** 3, 1) });
}

const rate = (n: number): string => t("unit.per_second", { value: number(n, n < 100 ? 1 : 0) });
const plain = (n: number): string => number(n);

function Numbers({ told, history }: { told: Told; history: readonly Sample[] }) {
  const last = history[history.length - 1]!;
  const tiles: { line: Line; title: string; hint: string; show(n: number): string }[] = [
    { line: "received", title: t("operation.received"), hint: t("operation.received.hint"), show: rate },
    { line: "stored", title: t("operation.stored"), hint: t("operation.stored.hint"), show: rate },
    { line: "sent", title: t("operation.sent"), hint: t("operation.sent.hint"), show: rate },
    { line: "lagSeconds", title: t("operation.lag"), hint: t("operation.lag.hint"), show: lasts },
    { line: "waiting", title: t("operation.waiting"), hint: t("operation.waiting.hint"), show: plain },
    { line: "connections", title: t("operation.viewers"), hint: t("operation.viewers.hint"), show: plain },
    { line: "queuedBytes", title: t("operation.queued"), hint: t("operation.queued.hint"), show: bytes },
    { line: "outbox", title: t("operation.outbox"), hint: t("operation.outbox.hint", { n: told.stats.outbox.dropped }), show: plain },
  ];

  return (
    <ul className={css.tiles} aria-label={t("operation.numbers")}>
      {tiles.map(({ line, title, hint, show }) => {
        const values = history.map((sample) => sample[line]);
        return (
          <li key={line}>
            <h2>{title}</h2>
            <p className={css.value}>{show(last[line])}</p>
            <Sparkline values={values} />
            <p className={css.hint}>{hint}<span>{t("operation.most", { value: show(Math.max(...values.filter(Number.isFinite))) })}</span></p>
          </li>
        );
      })}
    </ul>
  );
}

/** Where all that came has gone. */
function Books({ told: { stats: { accounting } } }: { told: Told }) {
  const rows = [
    ["operation.books.received", accounting.received], ["operation.books.committed", accounting.committed],
    ["operation.books.letters", accounting.dead_lettered], ["operation.books.duplicate", accounting.duplicate],
    ["operation.books.journal", accounting.in_journal],
  ] as const;

  return (
    <section className="panel" aria-labelledby="books">
      <h2 id="books">{t("operation.books")}</h2>
      <table className={css.table}>
        <tbody>
          {rows.map(([key, n]) => <tr key={key}><th scope="row">{t(key)}</th><td>{number(n)}</td></tr>)}
        </tbody>
      </table>
      <p className={css.hint}>{accounting.drift ? t("operation.books.drift", { n: accounting.drift }) : t("operation.books.balance")}</p>
    </section>
  );
}

const who = ({ client_info: { user_id, device_id } }: Slow): string =>
  device_id !== null ? t("operation.device", { id: `${device_id}` }) : user_id !== null ? t("operation.user", { id: `${user_id}` }) : t("session.guest");

function Viewers({ told: { stats } }: { told: Told }) {
  const dialects = Object.entries(stats.connections_by_dialect).filter(([, n]) => n > 0);

  return (
    <section className="panel" aria-labelledby="viewers">
      <h2 id="viewers">{t("operation.slow")}</h2>
      {stats.slowest.length === 0 ? <p className={css.none}>{t("operation.slow.none")}</p> : (
        <table className={css.table}>
          <thead><tr><th scope="col">{t("operation.who")}</th><th scope="col">{t("operation.behind")}</th><th scope="col">{t("operation.queue")}</th><th scope="col">{t("operation.left_out")}</th></tr></thead>
          <tbody>
            {stats.slowest.map((slow, n) => (
              <tr key={n}>
                <th scope="row">{who(slow)} <small>{slow.client_info.dialect}</small></th>
                <td>{lasts(slow.lag_seconds)}</td><td>{bytes(slow.queued_bytes)}</td><td>{number(slow.conflated + slow.dropped)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p className={css.hint}>{dialects.length ? t("operation.dialects", { list: dialects.map(([name, n]) => `${name} ${number(n)}`).join(", ") }) : t("operation.dialects.none")}</p>
    </section>
  );
}
