import { useAsked } from "../data/api";
import { t } from "../i18n";
import { Cluster } from "../operation/Cluster";
import { isCluster, type Cluster as Told } from "../operation/cluster";
import { Letters } from "../operation/Letters";
import { Overview } from "../operation/Overview";
import { Unrouted } from "../operation/Unrouted";
import { usePlace } from "../router";
import { Parts } from "../ui/Parts";

const EVERY_MS = 3_000;
const CLUSTER = "cluster";

export default function Operation() {
  const cluster = useAsked<Told>("api/ws/stats?scope=cluster", EVERY_MS);
  const { rest: [part] } = usePlace();
  const hasCluster = cluster.value ? isCluster(cluster.value) : part === CLUSTER; // who was there before comes back to it

  return (
    <section className="page">
      <div className="bar"><h1>{t("operation.title")}</h1></div>
      <Parts page="operation" label={t("operation.parts")} parts={[
        { path: "", title: t("operation.overview"), content: () => <Overview /> },
        ...hasCluster ? [{ path: CLUSTER, title: t("cluster.title"), content: () => <Cluster told={cluster} /> }] : [],
        { path: "letters", title: t("letters.title"), content: () => <Letters /> },
        { path: "unrouted", title: t("unrouted.title"), content: () => <Unrouted /> },
      ]} />
    </section>
  );
}
