import { useClient } from "@tidegate/client/react";
import { send } from "../data/api";
import { t } from "../i18n";
import type { Field } from "../ui/Form";
import { useList, type Group, type User } from "./gateway";
import { Shares } from "./Shares";
import { Things, type Act } from "./Things";

/** Codes with commas or spaces between. */
export const codesOf = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);

const devices = (): Field => ({ name: "devices", label: t("groups.devices"), hint: t("groups.devices.hint"), isNeeded: true });

export function Groups() {
  const client = useClient();
  const list = useList<Group>("groups");
  const known = useList<User>("users").value?.map(({ username }) => username) ?? [];
  const put = async (name: string, text: string): Promise<void> => void await send(client, "POST", "api/manage/groups", { name, devices: codesOf(text) });
  const add: Act = {
    key: "add", title: t("groups.add"), hint: t("groups.add.hint"), fields: [{ name: "name", label: t("owned.name"), isNeeded: true }, devices()],
    run: ({ name, devices: text }) => put(name!, text!),
  };
  const actsOf = ({ id, name, devices: mine }: Group): Act[] => [
    { key: "put", title: t("groups.put"), hint: t("groups.put.hint"), fields: [devices()], run: ({ devices: text }) => put(name, text!) },
    ...(mine.length === 0 ? [] : [{
      key: "remove", title: t("groups.remove"), hint: t("groups.remove.hint"),
      fields: [{ name: "devices", label: t("groups.device"), options: mine.map(({ id: device, code }) => ({ value: `id:${device}`, label: code })) }],
      run: async ({ devices: which }: Record<string, string>) => void await send(client, "POST", `api/manage/groups/${id}/remove`, { devices: [which] }),
    }]),
    { key: "shares", title: t("shares.title"), hint: t("groups.shares.hint"), content: () => <Shares path={`groups/${id}`} known={known} /> },
    { key: "delete", title: t("groups.delete"), hint: t("groups.delete.hint"), isFinal: true, run: async () => void await send(client, "DELETE", `api/manage/groups/${id}`) },
  ];

  return (
    <Things title={t("settings.groups")} list={list} nameOf={({ name }) => name} textOf={({ name, devices: all }) => `${name} ${all.map(({ code }) => code).join(" ")}`}
      add={add} acts={actsOf} columns={[
        { title: t("owned.name"), cell: ({ name }) => name },
        { title: t("groups.devices"), cell: ({ devices: all }) => all.map(({ code }) => code).join(", ") || "–" },
      ]} />
  );
}
