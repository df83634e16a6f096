/** What there is to set, as `/api/manage` has it. Everybody is told of what is his; admins of all. */
import { useClient } from "@tidegate/client/react";
import { useCallback, useEffect, useState } from "react";
import { askAll } from "../data/api";

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

export interface List<T> {
  items: T[] | undefined;
  error: Error | undefined;
  again(): void;
}

/** All of them. @param kind null: nothing is asked */
export function useList<T>(kind: "users" | "devices" | "vehicles" | "groups" | null): List<T> {
  const client = useClient();
  const [items, setItems] = useState<T[]>();
  const [error, setError] = useState<Error>();
  const [n, setN] = useState(0);

  useEffect(() => {
    const ended = new AbortController();

    if (!kind) return;
    askAll<T>(client, `api/manage/${kind}`, MOST, ended.signal).then((found) => {
      setItems(found);
      setError(undefined);
    }, (failed: Error) => ended.signal.aborted || setError(failed));
    return () => ended.abort();
  }, [client, kind, n]);
  return { items, error, again: useCallback(() => setN((before) => before + 1), []) };
}
