import { t } from "../i18n";
import { Letters } from "../operation/Letters";
import { Overview } from "../operation/Overview";
import { Unrouted } from "../operation/Unrouted";
import { Parts } from "../ui/Parts";

export default function Operation() {
  return (
    <section className="page">
      <div className="bar"><h1>{t("operation.title")}</h1></div>
      <Parts page="operation" label={t("operation.parts")} parts={[
        { path: "", title: t("operation.overview"), content: () => <Overview /> },
        { path: "letters", title: t("letters.title"), content: () => <Letters /> },
        { path: "unrouted", title: t("unrouted.title"), content: () => <Unrouted /> },
      ]} />
    </section>
  );
}
