import type { Asked } from "../data/api";
import { now } from "../data/clock";
import { ago, number, t } from "../i18n";
import { Badge, type Tone } from "../ui/Badge";
import table from "../ui/Table.module.css";
import { clusterFindings, slotsOf, stateOf, type Cluster as Told, type Node, type NodeState, type Slot } from "./cluster";
import { lasts } from "./findings";
import css from "./Overview.module.css";
import { Verdict } from "./Verdict";

const NODE_TONES: Record<NodeState, Tone> = { live: "good", drained: "info", draining: "info", silent: "bad" };
const SLOT_TONES: Record<Slot["state"], Tone> = { held: "good", silent: "bad", free: "bad" };

/** Which gateways there are, who has which part of what comes, and whose disk has something that is not stored. */
export function Cluster({ told: { value, error } }: { told: Asked<Told> }) {
  if (!value) return error ? <p role="alert" className={css.error}>{error.message}</p> : <p className="quiet" role="status">{t("app.loading")}</p>;
  return (
    <div className={css.overview}>
      {error && <p role="alert" className={css.error}>{error.message}</p>}
      <Verdict found={clusterFindings(value)} well={t("cluster.well", { n: value.nodes.length })} />
      <Nodes told={value} />
      <Slots slots={value.slots} />
      <p className={css.at}>{t("cluster.at")}</p>
    </div>
  );
}

const or = (value: string | undefined): string => value ?? "–";

function Nodes({ told }: { told: Told }) {
  return (
    <section aria-labelledby="nodes">
      <h2 id="nodes" className={css.heading}>{t("cluster.nodes")}</h2>
      <div className={table.scroll} role="region" aria-label={t("cluster.nodes")} tabIndex={0}>
        <table className={table.table}>
          <thead><tr>
            <th scope="col">{t("cluster.node")}</th>
            <th scope="col">{t("cluster.state")}</th>
            <th scope="col">{t("cluster.slots")}</th>
            <th scope="col" data-number>{t("cluster.waiting")}</th>
            <th scope="col" data-number>{t("operation.lag")}</th>
            <th scope="col" data-number>{t("operation.viewers")}</th>
            <th scope="col">{t("cluster.heard")}</th>
            <th scope="col">{t("cluster.version")}</th>
          </tr></thead>
          <tbody>{told.nodes.map((node) => <One key={node.node} node={node} told={told} />)}</tbody>
        </table>
      </div>
    </section>
  );
}

function One({ node, told }: { node: Node; told: Told }) {
  const state = stateOf(node, told.drained);
  const { figures } = node;
  const lag = figures?.database_lag_us;

  return (
    <tr>
      <th scope="row" data-long><code>{node.node}</code>{node.host !== node.node && <><br /><small className={css.host}>{node.advertise ?? node.host}</small></>}</th>
      <td data-label={t("cluster.state")}><Badge tone={NODE_TONES[state]}>{t(`cluster.state.${state}`)}</Badge></td>
      <td data-label={t("cluster.slots")}>{slotsOf(told, node.node).join(", ") || t("cluster.slots.none")}</td>
      <td data-number data-label={t("cluster.waiting")}>{state === "silent" && !node.waiting ? "–" : number(figures?.in_journal ?? node.waiting)}</td>
      <td data-number data-label={t("operation.lag")}>{or(lag === undefined ? undefined : lasts(lag / 1e6))}</td>
      <td data-number data-label={t("operation.viewers")}>{or(figures?.active_connections === undefined ? undefined : number(figures.active_connections))}</td>
      <td data-label={t("cluster.heard")}>{ago(node.last_seen, now())}</td>
      <td data-label={t("cluster.version")}>{node.version}</td>
    </tr>
  );
}

function Slots({ slots }: { slots: readonly Slot[] }) {
  return (
    <section aria-labelledby="slots">
      <h2 id="slots" className={css.heading}>{t("cluster.slots")}</h2>
      <p className={css.what}>{t("cluster.slots.what")}</p>
      <div className={table.scroll} role="region" aria-label={t("cluster.slots")} tabIndex={0}>
        <table className={table.table}>
          <thead><tr>
            <th scope="col">{t("cluster.slot")}</th><th scope="col">{t("cluster.state")}</th>
            <th scope="col">{t("cluster.node")}</th>
          </tr></thead>
          <tbody>
            {slots.map(({ slot, state, node }) => (
              <tr key={slot}>
                <th scope="row">{t("cluster.slot.n", { n: `${slot}` })}</th>
                <td data-label={t("cluster.state")}><Badge tone={SLOT_TONES[state]}>{t(`cluster.slot.${state}.short`)}</Badge></td>
                <td data-label={t("cluster.node")} data-long>{node === null ? "–" : <code>{node}</code>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
