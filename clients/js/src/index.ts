/** Live data of a Tidegate gateway. See README.md. */
export { Client, type Connection, type Options } from "./client.js";
export type { Command, CommandOptions, CommandState, Order } from "./command.js";
export type { Socket, SocketMaker, Transport } from "./link.js";
export { Refused, Subscription, thingOf, type Filter, type Handlers, type Missed, type Thing } from "./subscription.js";
export type * from "./wire.js";
