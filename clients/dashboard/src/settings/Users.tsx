import type { Client } from "@tidegate/client";
import { useClient } from "@tidegate/client/react";
import { send } from "../data/api";
import { t, time } from "../i18n";
import type { Field } from "../ui/Form";
import { useList, type User } from "./gateway";
import { Things, type Act } from "./Things";
import css from "./Things.module.css";

const HOUR_S = 3600;
const password = (): Field => ({ name: "password", label: t("users.password"), hint: t("users.password.hint"), type: "password", isNeeded: true });

function actsOf(client: Client, { id, is_active, identifier, username }: User): Act[] {
  const post = (what: string) => async (): Promise<void> => void await send(client, "POST", `api/manage/users/${id}/${what}`);

  return [
    { key: "password", title: t("users.set_password"), hint: t("users.set_password.hint"), fields: [password()],
      run: async (values) => void await send(client, "PUT", `api/manage/users/${id}/password`, values) },
    { key: "identifier", title: t("users.identifier.set"), hint: t("users.identifier.hint"),
      fields: [{ name: "identifier", label: t("users.identifier"), value: identifier ?? "" }],
      run: async (values) => void await send(client, "PUT", `api/manage/users/${id}/identifier`, { identifier: values.identifier || null }) },
    { key: "token", title: t("users.token"), hint: t("users.token.hint"), fields: [{ name: "hours", label: t("users.token.hours"), type: "number", value: "24", isNeeded: true }],
      run: async ({ hours }) => {
        const ttl = Math.max(1, Math.round(Number(hours) * HOUR_S));
        const { access_token: token } = await send<{ access_token: string }>(client, "POST", `api/manage/users/${id}/token?ttl=${ttl}`);
        return { title: t("users.token.of", { name: username }), hint: t("users.token.use"), token };
      } },
    { key: "revoke", title: t("users.revoke"), hint: t("users.revoke.hint"), run: post("revoke") },
    is_active ? { key: "disable", title: t("users.disable"), hint: t("users.disable.hint"), run: post("disable") }
      : { key: "enable", title: t("users.enable"), hint: t("users.enable.hint"), run: post("enable") },
    { key: "delete", title: t("users.delete"), hint: t("users.delete.hint"), isFinal: true, run: async () => void await send(client, "DELETE", `api/manage/users/${id}`) },
  ];
}

export function Users() {
  const client = useClient();
  const list = useList<User>("users");
  const add: Act = {
    key: "add", title: t("users.add"), hint: t("users.add.hint"),
    fields: [
      { name: "username", label: t("session.username"), hint: t("settings.name.hint"), isNeeded: true },
      { name: "role", label: t("users.role"), options: (["user", "viewer", "admin"] as const).map((role) => ({ value: role, label: t(`users.role.${role}.long`) })) },
      password(),
    ],
    run: async (values) => void await send(client, "POST", "api/manage/users", values),
  };

  return (
    <Things title={t("users.title")} list={list} nameOf={({ username }) => username} textOf={({ username, identifier, role }) => `${username} ${identifier ?? ""} ${role}`}
      add={add} acts={(user) => actsOf(client, user)} columns={[
        { title: t("session.username"), cell: ({ username }) => username },
        { title: t("users.role"), cell: ({ role }) => t(`users.role.${role}`) },
        { title: t("users.state"), cell: ({ is_active }) => <span className={css.state} data-off={!is_active}>{t(is_active ? "users.active" : "users.disabled")}</span> },
        { title: t("users.identifier"), cell: ({ identifier }) => identifier ?? "–" },
        { title: t("users.since"), cell: ({ created_at }) => time(created_at) },
      ]} />
  );
}
