import { useConnection } from "@tidegate/client/react";
import { createContext, useContext, useRef } from "react";
import type { Session } from "../session";

export interface Signed {
  session: Session;
  signOut(): void;
}

export const SessionContext = createContext<Signed | null>(null);

export function useSession(): Signed {
  return useContext(SessionContext)!;
}

/** Who looks, as the gateway has said last; undefined: it has not yet, null: a guest. */
export function useUser() {
  const { user } = useConnection();
  const last = useRef(user);

  if (user !== undefined) last.current = user;
  return last.current;
}
