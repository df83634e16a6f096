// npm `sparkplug-payload` as an edge node: encodes what it is told, publishes it, and says what it is
// commanded.
import mqtt from "mqtt";
import sparkplug from "sparkplug-payload";
import { args, onCommand, say } from "./report.mjs";

const { encodePayload, decodePayload } = sparkplug.get("spBv1.0");
const client = mqtt.connect(args.url, { clientId: args.clientId, reconnectPeriod: 200 });

client.on("connect", () =>
  client.subscribe(`spBv1.0/${args.group}/NCMD/${args.node}`, { qos: 1 }, (error) => say("connect", { error })));
client.on("message", (topic, payload) => {
  const { metrics } = decodePayload(payload);

  say("command", { topic, metrics: metrics.map(({ name, type, value }) => ({ name, type, value })) });
});
onCommand(({ topic, payload }) => {
  const bytes = encodePayload(payload);

  client.publish(topic, Buffer.from(bytes), { qos: 1 }, (error) =>
    say("published", { topic, bytes: Buffer.from(bytes).toString("hex"), error: error?.message ?? null }));
});
