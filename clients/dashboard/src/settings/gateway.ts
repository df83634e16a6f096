/** What there is to set, as `/api/manage` has it. Everybody is told of what is his; admins of all. */
import { askAll, useFound, type Asked } from "../data/api";

export interface User {
  id: number;
  username: string;
  role: "user" | "viewer" | "admin";
  is_active: boolean;
  identifier: string | null;
  created_at: string;
}

export interface Owned {
  id: number;
  code: string;
  name: string | null;
  user: string | null;
}

export interface Device extends Owned {
  type: string | null;
  is_active: boolean;
  has_token: boolean;
  /** A gateway at the edge. */
  may_uplink: boolean;
  groups: string[];
}

export interface Vehicle extends Owned {
  is_active: boolean;
}

export interface Group {
  id: number;
  name: string;
  devices: { id: number; code: string }[];
}

export interface Share {
  id: number;
  user: string;
  created_at: string;
}

const MOST = 20_000;

/** All of them. @param kind null: nothing is asked */
export const useList = <T>(kind: "users" | "devices" | "vehicles" | "groups" | null): Asked<T[]> =>
  useFound<T[]>(kind, (client, signal) => askAll<T>(client, `api/manage/${kind}`, MOST, signal));
