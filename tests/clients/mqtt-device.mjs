// npm `mqtt` as a device: publishes what it is told, takes commands, and answers them, by the
// response topic where the broker speaks version 5.
import mqtt from "mqtt";
import { args, onCommand, say } from "./report.mjs";

const client = mqtt.connect(args.url, {
  protocolVersion: args.version ?? 5,
  clientId: args.clientId,
  clean: false,
  properties: args.version === 4 ? undefined : { sessionExpiryInterval: 3600 },
  reconnectPeriod: 200,
  keepalive: args.keepalive ?? 60,
});
const commands = `devices/${args.device}/commands`;

client.on("connect", () => client.subscribe(commands, { qos: 1 }, (error) => say("connect", { error })));
client.on("error", (error) => say("error", { message: error.message }));
client.on("message", (topic, payload, packet) => {
  const command = JSON.parse(payload.toString());
  const properties = packet.properties ?? {};
  const answer = { command_id: command.command_id, status: "ok", message: "done" };

  say("command", {
    command,
    responseTopic: properties.responseTopic ?? null,
    correlation: properties.correlationData?.toString() ?? null,
    expiry: properties.messageExpiryInterval ?? null,
  });
  client.publish(properties.responseTopic ?? `${commands}/ack`, JSON.stringify(answer), {
    qos: 1,
    properties: properties.correlationData ? { correlationData: properties.correlationData } : undefined,
  });
});
onCommand(({ topic, payload }) =>
  client.publish(topic, payload, { qos: 1 }, (error) => say("published", { topic, error: error?.message ?? null })));
