// npm `eventsource`, which comes back by itself and says with Last-Event-ID what it has seen last.
import { EventSource } from "eventsource";
import { args, say } from "./report.mjs";

const source = new EventSource(args.url, {
  fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...(args.headers ?? {}) } }),
});

source.onopen = () => say("open");
source.onerror = (error) => say("error", { status: error.code ?? null, message: error.message ?? null });
for (const type of ["message", ...(args.types ?? [])])
  source.addEventListener(type, ({ data, lastEventId }) => say("message", { type, text: data, id: lastEventId }));
