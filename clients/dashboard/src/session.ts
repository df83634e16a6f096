/**
 * Who looks. The token is in this tab alone (sessionStorage: it is gone with the tab, and a reload finds it); the
 * password is nowhere. A token is renewed before it ends, until the gateway's `auth.session_max`.
 */
import { Client } from "@tidegate/client";
import { events, poll } from "@tidegate/client/fallback";
import { tabs } from "@tidegate/client/tabs";
import { t } from "./i18n";

const NAME = "tidegate.token";

/** Where the gateway is: above the document, whatever prefix a proxy has put before it. */
export const base = (): URL => new URL(".", document.baseURI);

interface Answer {
  access_token?: string;
  code?: string;
  detail?: string;
}

/** Answers of the gateway that say no, for people. */
export class Failure extends Error {}

async function ask(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(new URL(path, base()), { method: "POST", credentials: "omit", ...init });
  } catch {
    throw new Failure(t("app.unreachable"));
  }
}

let n = 0;

/** Does the gateway let in who says no name? undefined: it cannot say now. */
export const mayGuestsEnter = (): Promise<boolean | undefined> => ask("api/me", { method: "GET" })
  .then(async (answer) => answer.ok ? ((await answer.json()) as { guests?: boolean }).guests === true : answer.status < 500 ? false : undefined)
  .catch(() => undefined);

export class Session {
  /** Of this page: another one is another connection. */
  readonly id = ++n;
  #token: string | null;
  #isUsed = false; /* was it given to the client before? Then that asks since it ends */

  constructor(token: string | null) {
    this.#token = token;
  }

  static kept(): Session | undefined {
    const token = sessionStorage.getItem(NAME);

    return token ? new Session(token) : undefined;
  }

  static async signIn(username: string, password: string): Promise<Session> {
    const answer = await ask("api/token", { body: new URLSearchParams({ username, password }) });
    const { access_token: token, code, detail } = await answer.json().catch(() => ({})) as Answer;

    if (answer.status === 401) throw new Failure(t("session.wrong"));
    if (answer.status === 429) throw new Failure(t("session.too_many", { seconds: answer.headers.get("Retry-After") ?? "?" }));
    if (code === "unavailable") throw new Failure(t("session.unavailable"));
    if (!answer.ok || !token) throw new Failure(t("app.error", { status: answer.status, message: detail ?? "" }));
    sessionStorage.setItem(NAME, token);
    return new Session(token);
  }

  /** Nobody in particular: sees what the gateway's `auth.anonymous` opens to everybody. */
  static guest(): Session {
    return new Session(null);
  }

  get isGuest(): boolean {
    return this.#token === null;
  }

  /** A connection of who looks, which is closed by who asked for it. */
  open(): Client {
    return new Client({
      url: base(),
      fallback: [events(), poll()],
      ...(this.isGuest ? {} : { token: () => this.#good(), WebSocket: tabs() }),
    });
  }

  end(): void {
    sessionStorage.removeItem(NAME);
  }

  async #good(): Promise<string | null> {
    if (!this.#isUsed) {
      this.#isUsed = true;
      return this.#token;
    }
    const answer = await ask("api/token/refresh", { headers: { Authorization: `Bearer ${this.#token}` } });
    const { access_token: token } = await answer.json().catch(() => ({})) as Answer;

    if (answer.ok && token) {
      sessionStorage.setItem(NAME, token);
      return (this.#token = token);
    }
    if (answer.status === 401 || answer.status === 403) return null;
    throw new Failure(t("app.error", { status: answer.status, message: "" }));
  }
}
