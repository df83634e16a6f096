import type { Client } from "@tidegate/client";
import { TidegateProvider } from "@tidegate/client/react";
import { useEffect, useState } from "react";
import { t } from "./i18n";
import { Session } from "./session";
import { SessionContext } from "./shell/context";
import { Shell } from "./shell/Shell";
import { SignIn } from "./shell/SignIn";

const BAD_TOKEN = 4001;
const REVOKED = 4004;

/** Who is not signed in, and is no guest, sees the sign-in alone. */
export function App() {
  const [session, setSession] = useState(Session.kept);
  const [why, setWhy] = useState("");

  const end = (reason: string): void => {
    session?.end();
    setWhy(reason);
    setSession(undefined);
  };
  if (!session) return <SignIn why={why} enter={setSession} />;
  return <SignedIn key={session.id} session={session} end={end} />;
}

function SignedIn({ session, end }: { session: Session; end(reason: string): void }) {
  const [client, setClient] = useState<Client>();

  useEffect(() => {
    const made = session.open();
    const stop = made.onConnection(({ state, code }) => {
      if (state !== "closed" || (code !== BAD_TOKEN && code !== REVOKED)) return;
      end(session.isGuest ? "" : t(code === REVOKED ? "session.changed" : "session.over"));
    });

    setClient(made);
    return () => {
      stop();
      made.close();
    };
  // eslint-disable-next-line react-hooks/exhaustive-deps -- a session has one connection
  }, [session]);
  if (!client) return null;
  return (
    <SessionContext.Provider value={{ session, signOut: () => end("") }}>
      <TidegateProvider client={client}><Shell /></TidegateProvider>
    </SessionContext.Provider>
  );
}
