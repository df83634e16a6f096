/** Alerts: those of the lists, those that come, and what becomes of them. */
import type { Alert, AlertUpdate, Client, Push } from "@tidegate/client";
import { Shared } from "@tidegate/client/react";
import { ask, send, type Listing } from "../data/api";
import { compare, placeOf } from "../data/stored";

export interface Shown extends Pick<Alert, "cursor" | "severity" | "alert_type" | "message" | "data" | "timestamp"> {
  number?: string;
  persisted?: boolean;
  vehicle_id?: number | null;
  device_id?: number | null;
  acknowledged?: boolean;
  acknowledged_at?: string | null;
  acknowledged_by?: string | null;
}

export interface Alerts {
  open: readonly Shown[];
  done: readonly Shown[];
  /** What there is behind them. */
  hasOlder: { open: boolean; done: boolean };
  isBusy: boolean;
  error: string;
}

type Which = "open" | "done";
type Ack = Pick<AlertUpdate, "acknowledged_at" | "acknowledged_by">;

const PAGE = 100;
/** So many of each are kept: a page may be open for weeks. */
const MOST = 2000;
/** Notifications may be lost on the way (decision 090): the list has what they said, ms. */
const AGAIN_MS = 30_000;
const SOON_MS = 50;

export const idOf = (alert: Pick<Shown, "number" | "cursor">): string => placeOf(alert);

/** Each alert once, in whichever order they and their acknowledgements come. */
export class Book {
  #alerts = new Map<string, Shown>();
  #acks = new Map<string, Ack>();

  put(alert: Shown): void {
    const id = idOf(alert);
    const before = this.#alerts.get(id);

    if (before?.acknowledged && !alert.acknowledged) return; /* read before it was */
    this.#alerts.set(id, { ...alert, ...this.#acks.get(id), acknowledged: alert.acknowledged || this.#acks.has(id) });
  }

  acknowledge(id: string, { acknowledged_at, acknowledged_by }: Ack): void {
    const alert = this.#alerts.get(id);

    this.#acks.set(id, { acknowledged_at, acknowledged_by });
    if (this.#acks.size > MOST) this.#acks.delete(this.#acks.keys().next().value!);
    if (alert) this.put(alert);
  }

  /** A first page of those that nobody has acknowledged: what was there before and is not on it is none of them any more.
   * @param before that page was asked for */
  settle(page: Listing<Shown>, before: readonly Shown[]): void {
    const ids = new Set(page.items.map(idOf));
    const last = page.cursor === null ? undefined : page.items.at(-1);

    for (const alert of before)
      if (alert.persisted !== false && !ids.has(idOf(alert)) && (!last || compare(alert, last) < 0)) {
        const id = idOf(alert);
        if (!this.#alerts.get(id)?.acknowledged) this.#alerts.delete(id);
      }
    page.items.forEach((alert) => this.put(alert));
  }

  lists(severity = ""): Record<Which, Shown[]> {
    const all = [...this.#alerts.values()].sort(compare);
    const of = (isDone: boolean): Shown[] => all.filter((alert) => Boolean(alert.acknowledged) === isDone);

    for (const list of [of(false), of(true)]) for (const alert of list.slice(MOST)) this.#alerts.delete(idOf(alert));
    const [open, done] = [of(false), of(true)].map((list) => list.slice(0, MOST).filter((one) => !severity || one.severity === severity));
    return { open: open!, done: done! };
  }
}

/** What a page shows of them, as useSyncExternalStore() takes it. */
export class AlertView extends Shared<Alerts> {
  #client: Client;
  #severity: string;
  #book = new Book();
  #cursors: Partial<Record<Which, string | null>> = {};
  #shown: Alerts = { open: [], done: [], hasOlder: { open: false, done: false }, isBusy: true, error: "" };
  #ends: (() => void)[] = [];
  #soon: ReturnType<typeof setTimeout> | undefined;
  #isBusy = false;
  #isDue = false;
  #error = "";

  constructor(client: Client, severity: string) {
    super();
    this.#client = client;
    this.#severity = severity;
  }

  readonly read = (): Alerts => this.#shown;

  async older(which: Which): Promise<void> {
    await this.#tried(async () => {
      const page = await ask<Listing<Shown>>(this.#client, `${this.#path(which)}&cursor=${encodeURIComponent(this.#cursors[which]!)}`);
      page.items.forEach((alert) => this.#book.put(alert));
      this.#cursors[which] = page.cursor;
    });
  }

  /** Rejects with Failed. */
  async acknowledge(alert: Shown): Promise<void> {
    const id = idOf(alert);

    this.#book.acknowledge(id, await send<Ack>(this.#client, "POST", `api/alerts/${encodeURIComponent(id)}/acknowledge`));
    this.#change();
  }

  #path(which: Which): string {
    return `api/alerts?limit=${PAGE}&acknowledged=${which === "done"}${this.#severity && `&severity=${this.#severity}`}`;
  }

  protected begin(): void {
    const again = (): void => void this.#refresh();
    const sub = this.#client.subscribe({ to: ["alerts"], types: ["alert"] }, { onEvent: (push) => this.#take(push), onGap: again });
    const stop = this.#client.onConnection(({ state }) => state !== "connecting" && again());
    const timer = setInterval(again, AGAIN_MS);

    this.#ends = [() => sub.unsubscribe(), stop, () => clearInterval(timer)];
    again();
    sub.ready.then(again, () => {});
  }

  protected end(): void {
    for (const end of this.#ends.splice(0)) end();
  }

  #take(push: Push): void {
    if (push.type === "alert_update") this.#book.acknowledge(push.alert, push);
    else this.#book.put(push as unknown as Shown);
    this.#soon ??= setTimeout(() => this.#change(), SOON_MS);
  }

  /* One at a time, and once more where it was asked for meanwhile. */
  async #refresh(): Promise<void> {
    if (this.#isBusy) return void (this.#isDue = true);
    this.#isBusy = true;
    do {
      this.#isDue = false;
      await this.#tried(() => this.#readFirst());
    } while (this.#isDue && !this.isIdle);
    this.#isBusy = false;
  }

  async #readFirst(): Promise<void> {
    const before = this.#book.lists(this.#severity).open;
    const [open, done] = await Promise.all([this.#path("open"), this.#path("done")].map((path) => ask<Listing<Shown>>(this.#client, path)));

    this.#book.settle(open!, before);
    done!.items.forEach((alert) => this.#book.put(alert));
    this.#cursors = { open: open!.cursor, done: done!.cursor, ...this.#cursors };
  }

  async #tried(run: () => Promise<void>): Promise<void> {
    try {
      await run();
      this.#error = "";
    } catch (error) {
      this.#error = (error as Error).message;
    }
    this.#change();
  }

  #change(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    this.#shown = {
      ...this.#book.lists(this.#severity),
      hasOlder: { open: Boolean(this.#cursors.open), done: Boolean(this.#cursors.done) },
      isBusy: this.#cursors.open === undefined && !this.#error,
      error: this.#error,
    };
    this.changed();
  }
}
