/** Devices and vehicles: what somebody owns, and shares. */
import type { Client } from "@tidegate/client";
import { useClient } from "@tidegate/client/react";
import { send } from "../data/api";
import { t } from "../i18n";
import { useUser } from "../shell/context";
import type { Field } from "../ui/Form";
import type { Shown } from "../ui/Secret";
import { useList, type Device, type Owned, type User, type Vehicle } from "./gateway";
import { Shares } from "./Shares";
import { Things, type Act, type Column } from "./Things";
import css from "./Things.module.css";

type Kind = "devices" | "vehicles";

const owner = (known: readonly string[], value = ""): Field => ({ name: "user", label: t("owned.owner"), hint: t("owned.owner.hint"), known, value });
const nothing = (text: string | undefined): string | null => text || null;

function common(client: Client, kind: Kind, { id, user }: Owned, isAdmin: boolean, known: readonly string[]): Act[] {
  const give: Act = {
    key: "give", title: t("owned.give"), hint: t("owned.give.hint"), fields: [owner(known, user ?? "")],
    run: async (values) => void await send(client, "PUT", `api/${kind}/id:${id}/owner`, { user: nothing(values.user) }),
  };
  const share: Act = { key: "shares", title: t("shares.title"), hint: t("shares.hint"), content: () => <Shares path={`${kind}/${id}`} known={known} /> };

  const gone: Act = {
    key: "delete", title: t("owned.delete"), hint: t(kind === "devices" ? "devices.delete.hint" : "vehicles.delete.hint"), isFinal: true,
    run: async () => void await send(client, "DELETE", `api/manage/${kind}/${id}`),
  };

  return isAdmin ? [give, share, gone] : [share];
}

const shown = (code: string, token: string): Shown => ({ title: t("devices.token.of", { code }), hint: t("devices.token.use"), token });

function ofDevice(client: Client, { id, code, has_token, may_uplink: mayUplink }: Device, isAdmin: boolean): Act[] {
  const acts: Act[] = [{
    key: "rotate", title: t(has_token ? "devices.rotate" : "devices.make_token"), hint: t(has_token ? "devices.rotate.hint" : "devices.make_token.hint"),
    run: async () => shown(code, (await send<{ token: string }>(client, "POST", `api/manage/devices/${id}/token`)).token),
  }];

  if (has_token) acts.push({
    key: "revoke", title: t("devices.revoke"), hint: t("devices.revoke.hint"), run: async () => void await send(client, "DELETE", `api/manage/devices/${id}/token`),
  });
  if (isAdmin) acts.push({
    key: "uplink", title: t(mayUplink ? "devices.uplink.end" : "devices.uplink"), hint: t(mayUplink ? "devices.uplink.end.hint" : "devices.uplink.hint"),
    run: async () => void await send(client, mayUplink ? "DELETE" : "POST", `api/manage/devices/${id}/uplink`),
  });
  return acts;
}

const columns = <T extends Owned>(rest: readonly Column<T>[]): Column<T>[] => [
  { title: t("owned.code"), cell: ({ code }) => code },
  { title: t("owned.name"), cell: ({ name }) => name ?? "–" },
  { title: t("owned.owner"), cell: ({ user }) => user ?? t("owned.nobody") },
  ...rest,
];

const added = (known: readonly string[]): Field[] => [
  { name: "code", label: t("owned.code"), hint: t("owned.code.hint"), isNeeded: true },
  owner(known),
  { name: "name", label: t("owned.name") },
];

function useRights() {
  const user = useUser();
  const isAdmin = user?.role === "admin";
  const users = useList<User>(isAdmin ? "users" : null);

  return { isAdmin, mayChange: isAdmin || user?.role === "user", known: users.value?.map(({ username }) => username) ?? [] };
}

const search = ({ code, name, user }: Owned): string => `${code} ${name ?? ""} ${user ?? ""}`;

export function Devices() {
  const client = useClient();
  const { isAdmin, mayChange, known } = useRights();
  const list = useList<Device>("devices");
  const add: Act = {
    key: "add", title: t("devices.add"), hint: t("devices.add.hint"), fields: [...added(known), { name: "type", label: t("devices.type") }],
    run: async ({ code, user, name, type }) => {
      const made = await send<{ code: string; token: string }>(client, "POST", "api/manage/devices",
        { code, user: nothing(user), name: nothing(name), type: nothing(type) });
      return shown(made.code, made.token);
    },
  };

  return (
    <Things title={t("devices.title")} list={list} nameOf={({ name, code }) => name || code} textOf={(one) => `${search(one)} ${one.groups.join(" ")}`}
      add={isAdmin ? add : undefined} acts={(one) => mayChange ? [...ofDevice(client, one, isAdmin), ...common(client, "devices", one, isAdmin, known)] : []}
      columns={columns<Device>([
        { title: t("devices.type"), cell: ({ type }) => type ?? "–" },
        { title: t("settings.groups"), cell: ({ groups }) => groups.join(", ") || "–" },
        { title: t("devices.token"), cell: ({ has_token, may_uplink: mayUplink }) => <span className={css.state} data-off={!has_token}>{t(has_token ? "devices.token.is" : "devices.token.none")}{mayUplink && <>, {t("devices.uplink.is")}</>}</span> },
      ])} />
  );
}

export function Vehicles() {
  const client = useClient();
  const { isAdmin, mayChange, known } = useRights();
  const list = useList<Vehicle>("vehicles");
  const add: Act = {
    key: "add", title: t("vehicles.add"), hint: t("vehicles.add.hint"),
    fields: [...added(known), { name: "id", label: t("vehicles.id"), hint: t("vehicles.id.hint"), type: "number" }],
    run: async ({ code, user, name, id }) =>
      void await send(client, "POST", "api/manage/vehicles", { code, user: nothing(user), name: nothing(name), ...(id && { id: Number(id) }) }),
  };

  return (
    <Things title={t("settings.vehicles")} list={list} nameOf={({ name, code }) => name || code} textOf={search}
      add={isAdmin ? add : undefined} acts={(one) => mayChange ? common(client, "vehicles", one, isAdmin, known) : []} columns={columns<Vehicle>([])} />
  );
}
