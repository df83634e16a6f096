/** Has the sockets of all tabs of a browser, where it has shared workers. */
import { Hub, type Note } from "./hub.js";
import type { SocketMaker } from "./link.js";

const hubs = new Map<string, Hub>();
const ports = new Map<string, MessagePort>();

globalThis.addEventListener("connect", (event) => {
  const port = (event as MessageEvent).ports[0]!;

  port.onmessage = ({ data }: MessageEvent<{ key: string; note: Note }>) => {
    const { key, note } = data;
    const tab = note.tab!;
    let hub = hubs.get(key);

    if (!hub) {
      hub = new Hub((said) => {
        ports.get(said.tab!)?.postMessage(said);
        if (said.closed) ports.delete(said.tab!);
      }, WebSocket as unknown as SocketMaker);
      hubs.set(key, hub);
    }
    ports.set(tab, port);
    hub.hear(note);
    if (note.bye) ports.delete(tab);
  };
  port.postMessage({ here: true });
});
