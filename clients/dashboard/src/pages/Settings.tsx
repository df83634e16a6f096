import { t } from "../i18n";
import { Groups } from "../settings/Groups";
import { Devices, Vehicles } from "../settings/Owned";
import { Users } from "../settings/Users";
import { useUser } from "../shell/context";
import { Parts, type Part } from "../ui/Parts";

/** Who may do what; the gateway judges, and here only what may be done is offered. */
export default function Settings() {
  const user = useUser();
  const owned: Part[] = [
    { path: "devices", title: t("devices.title"), content: () => <Devices /> },
    { path: "vehicles", title: t("settings.vehicles"), content: () => <Vehicles /> },
  ];
  const admins: Part[] = [
    { path: "users", title: t("users.title"), content: () => <Users /> },
    ...owned,
    { path: "groups", title: t("settings.groups"), content: () => <Groups /> },
  ];

  if (user === null) return <section className="notice"><h1>{t("settings.title")}</h1><p>{t("settings.guest")}</p></section>;
  return (
    <section className="page">
      <div className="bar"><h1>{t("settings.title")}</h1></div>
      {user && <Parts key={user.role} page="settings" label={t("settings.parts")} parts={user.role === "admin" ? admins : owned} />}
    </section>
  );
}
