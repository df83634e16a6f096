import { t } from "../i18n";
import { Users } from "../settings/Users";
import { useUser } from "../shell/context";
import { Parts, type Part } from "../ui/Parts";

/** Who may do what; the gateway judges, and here only what may be done is offered. */
export default function Settings() {
  const user = useUser();
  const admins: Part[] = [
    { path: "users", title: t("users.title"), content: () => <Users /> },
  ];

  if (user === null) return <section className="notice"><h1>{t("settings.title")}</h1><p>{t("settings.guest")}</p></section>;
  return (
    <section className="page">
      <div className="bar"><h1>{t("settings.title")}</h1></div>
      {user?.role === "admin" && <Parts page="settings" label={t("settings.parts")} parts={admins} />}
    </section>
  );
}
