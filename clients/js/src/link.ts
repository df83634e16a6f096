import type { Subscription, Told } from "./subscription.js";
import { Refused } from "./subscription.js";
import type { Answer, Refusal, Request, Welcome } from "./wire.js";

/** An operation without its id, which the link gives it. */
export type Ask = Request extends infer R ? (R extends Request ? Omit<R, "id"> : never) : never;

/** One connection, by one way of transport. It is used once: a broken one is replaced. */
export interface Link {
  readonly transport: string;
  subscribe(sub: Subscription): void;
  unsubscribe(sub: Subscription): void;
  move(sub: Subscription): void;
  /** Rejects with Refused, or with a Lost where the connection ends before the answer is there. */
  ask(request: Ask): Promise<Answer>;
  /** Is the other side still there? Ends the link if it does not say so soon. */
  check(): void;
  close(): void;
}

/** What a link tells: to whom it belongs. */
export interface Peer {
  /** Where the gateway is, with a slash at the end. */
  readonly base: URL;
  token(): Promise<string | null | undefined>;
  opened(link: Link, welcome: Partial<Welcome>): void;
  /** @param code as that of a WebSocket; 1006 where nobody said anything */
  closed(link: Link, code: number, reason: string): void;
  /** @param subs for whom, where the link knows */
  heard(link: Link, told: Told, subs?: Iterable<Subscription>): void;
  /** A subscription, or a move of it, was not taken. */
  refused(link: Link, sub: Subscription, error: Error): void;
}

export type Transport = (peer: Peer) => Link;

/** Of WebSocket what is used. */
export interface Socket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}
export type SocketMaker = new (url: string, protocols: string[]) => Socket;

export class Lost extends Error {}

/** A gateway that answers nothing for so long is not there, ms. */
export const ANSWER_MS = 10_000;
/** Who has woken does not wait as long: another connection costs little. */
export const CHECK_MS = 2_000;

type Settle = [(answer: Answer) => void, (error: Error) => void];

export function webSocket(Maker: SocketMaker): Transport {
  return (peer) => {
    const pending = new Map<number, Settle>();
    let socket: Socket | undefined;
    let n = 0;
    let isOver = false;
    let heartbeatMs = 0;
    let quiet: ReturnType<typeof setTimeout> | undefined;

    const end = (code: number, reason: string): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(quiet);
      socket?.close();
      for (const [, reject] of pending.values()) reject(new Lost());
      pending.clear();
      peer.closed(link, code, reason);
    };
    const send = (message: object): void => socket?.send(JSON.stringify(message));
    const listen = (): void => {
      clearTimeout(quiet);
      if (heartbeatMs) quiet = setTimeout(() => ping(ANSWER_MS), heartbeatMs);
    };
    const wait = (ms: number): void => {
      clearTimeout(quiet);
      quiet = setTimeout(() => end(1006, "silent"), ms);
    };
    const ping = (ms: number): void => {
      send({ op: "ping", id: -1 });
      wait(ms);
    };
    const put = (request: object, settle: Settle): void => {
      pending.set(++n, settle);
      send({ ...request, id: n });
    };
    const ask = (request: Ask): Promise<Answer> =>
      new Promise((...settle) => isOver ? settle[1](new Lost()) : put(request, settle));
    const hear = (message: Welcome | Answer | Refusal | Told): void => {
      if (isOver) return;
      listen();
      if ("ok" in message) {
        const settle = pending.get(message.id as number);
        pending.delete(message.id as number);
        if (message.ok) settle?.[0](message);
        else settle?.[1](new Refused(message.error));
      } else if (message.type === "welcome") {
        heartbeatMs = (message as Welcome).heartbeat * 1000;
        listen();
        peer.opened(link, message as Welcome);
      } else {
        peer.heard(link, message as Told);
      }
    };
    const begin = async (): Promise<void> => {
      const token = await peer.token();
      if (isOver) return;
      wait(ANSWER_MS);
      socket = new Maker(new URL("api/ws", peer.base).href.replace("http", "ws"), ["tidegate.v1"]);
      socket.onerror = () => {};
      socket.onopen = () => token && send({ op: "auth", token });
      socket.onmessage = ({ data }) => hear(JSON.parse(data as string));
      socket.onclose = ({ code, reason }) => end(code, reason);
    };
    const link: Link = {
      transport: "websocket",
      ask,
      subscribe(sub) {
        const asked = sub.filter;
        const answered = (answer: Answer): void => {
          sub.answered(answer);
          if (sub.isOver) link.unsubscribe(sub);
          else if (sub.filter !== asked) link.move(sub);
        };
        put({ op: "subscribe", ...sub.ask() }, [answered, (error) => peer.refused(link, sub, error)]);
      },
      unsubscribe(sub) {
        if (sub.name) send({ op: "unsubscribe", subscription: sub.name }); /* whatever the answer is */
      },
      move(sub) {
        const { to } = sub.filter;
        if (sub.name)
          ask({ op: "move", subscription: sub.name, ...sub.view() } as unknown as Ask)
            .then(() => (sub.taken = to), (error: Error) => peer.refused(link, sub, error));
      },
      check: () => ping(CHECK_MS),
      close: () => end(1000, ""),
    };

    begin().catch((error: Error) => end(1006, error.message));
    return link;
  };
}
