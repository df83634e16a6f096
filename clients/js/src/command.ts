import type { Client } from "./client.js";
import type { Ask } from "./link.js";
import { refusal } from "./subscription.js";
import type { Answer, CommandUpdate } from "./wire.js";

export interface Order {
  /** Its code, or `id:5`. */
  device: string;
  action: string;
  payload?: Record<string, unknown>;
  timeoutMs?: number;
  /** Two orders with the same are one. A new one unless given. */
  idempotencyKey?: string;
}

export interface CommandOptions {
  /** Takes the order back. */
  signal?: AbortSignal;
}

export interface CommandState {
  readonly commandId: string;
  readonly state: NonNullable<Answer["state"]>;
  readonly message?: string | null;
}

/** Its states, from `accepted` to the last; each is told once, to whoever asks first. */
export interface Command extends AsyncIterable<CommandState> {
  /** The last state. Rejects with Refused where the order is not taken. */
  readonly result: Promise<CommandState>;
}

const LAST = ["done", "failed", "expired", "cancelled"];

/** @internal */
export function command(client: Client, order: Order, { signal }: CommandOptions = {}): Command {
  const { device, action, payload, timeoutMs, idempotencyKey = `${Math.random()}` } = order;
  const early: CommandUpdate[] = [];
  const states: CommandState[] = [];
  let id: string | undefined;
  let wake: (() => void) | undefined;
  let settle!: [(state: CommandState) => void, (error: unknown) => void];
  const result = new Promise<CommandState>((...both) => (settle = both));
  let shown = 0;

  const tell = (state: CommandState): void => {
    if (sub.isOver || states.at(-1)?.state === state.state) return;
    states.push(state);
    if (LAST.includes(state.state)) {
      sub.unsubscribe();
      settle[0](state);
    }
    wake?.();
  };
  const take = (update: CommandUpdate): void => {
    const { command_id: commandId, state, message = null } = update;
    if (!id) early.push(update);
    else if (commandId === id) tell({ commandId, state, message });
  };
  const fail = (error: unknown): void => {
    sub.unsubscribe();
    settle[1](error);
    wake?.();
  };
  const sub = client.subscribe({ to: [`device/${device}`], types: ["command_update"] }, {
    onEvent: (push) => take(push as CommandUpdate),
    onGap: () => give().catch(fail), /* by its key it is the same, and what became of it is told */
    onLeft: (_, reason) => fail(refusal(reason, "")),
    onRefused: fail,
  });
  const ask = async (request: Ask): Promise<void> => {
    const { command_id, state } = await client.ask(request);
    tell({ commandId: (id = command_id!), state: state! });
  };
  const give = (): Promise<void> => ask({
    op: "command", device, action, idempotency_key: idempotencyKey,
    payload, timeout_ms: timeoutMs || undefined,
  } as Ask);
  const run = async (): Promise<void> => {
    await sub.ready;
    await give();
    early.forEach(take);
    const cancel = (): void => void ask({ op: "cancel", command_id: id! }).catch(() => {});

    if (signal?.aborted) cancel();
    else signal?.addEventListener("abort", cancel);
  };

  result.catch(() => {});
  run().catch(fail);
  return {
    result,
    async *[Symbol.asyncIterator]() {
      for (;;) {
        while (shown < states.length) yield states[shown++]!;
        if (sub.isOver) break;
        await new Promise<void>((resolve) => (wake = resolve));
      }
      await result;
    },
  };
}
