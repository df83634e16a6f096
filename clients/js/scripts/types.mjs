// Writes src/wire.ts: the messages of the native protocol, as schema/asyncapi.json has them.
//
//   node scripts/types.mjs [--check]      --check: writes nothing, ends with 1 if it is not up to date
import { readFileSync, writeFileSync } from "node:fs";

const document = JSON.parse(readFileSync(new URL("../../../schema/asyncapi.json", import.meta.url), "utf8"));
const target = new URL("../src/wire.ts", import.meta.url);
const { messages, schemas } = document.components;
const wanted = Object.keys(messages).filter((name) => /^[ns][A-Z]/.test(name));
const named = new Set();

function union(types) {
  return [...new Set(types)].join(" | ");
}

function objectOf(schema, indent) {
  const inner = `${indent}  `;
  const required = new Set(schema.required ?? []);
  const members = Object.entries(schema.properties ?? {}).map(([name, member]) => {
    const says = member.description ? `${inner}/** ${member.description} */\n` : "";
    return `${says}${inner}${name}${required.has(name) ? "" : "?"}: ${typeOf(member, inner)};\n`;
  });
  return members.length ? `{\n${members.join("")}${indent}}` : "Record<string, unknown>";
}

function typeOf(schema, indent = "") {
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    named.add(name);
    return name;
  }
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return union(schema.enum.map((value) => JSON.stringify(value)));
  const parts = schema.oneOf ?? schema.anyOf;
  if (parts) return union(parts.map((part) => typeOf(part, indent)));
  if (Array.isArray(schema.type)) return union(schema.type.map((type) => typeOf({ ...schema, type }, indent)));
  switch (schema.type) {
    case "object":
      return objectOf(schema, indent);
    case "array": {
      const items = typeOf(schema.items ?? {}, indent);
      return /[|{]/.test(items) ? `Array<${items}>` : `${items}[]`;
    }
    case "integer":
    case "number":
      return "number";
    case "string":
    case "boolean":
    case "null":
      return schema.type;
    default:
      return "unknown";
  }
}

// A type is named as the message, less the letter of its dialect.
const nameOf = (message) => message.slice(1);
const isOp = (name) => messages[name].payload.properties?.op;
const isPush = (name) => messages[name].payload.properties?.cursor && messages[name].payload.properties?.timestamp;

const bodies = wanted.map((name) => {
  const message = messages[name];
  return `/** ${message.title}. */\nexport interface ${nameOf(name)} ${objectOf(message.payload, "")}\n`;
});
const done = new Set();
while (done.size < named.size)
  for (const name of named)
    if (!done.has(name)) {
      done.add(name);
      const schema = schemas[name];
      const says = schema.description ? `/** ${schema.description} */\n` : "";
      bodies.push(schema.type === "object"
        ? `${says}export interface ${name} ${objectOf(schema, "")}\n`
        : `${says}export type ${name} = ${typeOf(schema)};\n`);
    }

/* They have no place on the number line. */
const others = ["nAlertUpdate", "nStatsUpdate", "nStatisticsUpdate"];
const text = [
  "// Made by scripts/types.mjs from schema/asyncapi.json: not to be edited.\n",
  ...bodies,
  `/** What a thing has said, or what became of a command: it has a place on the number line. */\nexport type Event = ${wanted.filter(isPush).map(nameOf).join(" | ")};\n`,
  `/** What is shown. */\nexport type Push = Event | ${others.map(nameOf).join(" | ")};\n`,
  `/** What a client asks. */\nexport type Request = ${wanted.filter(isOp).map(nameOf).join(" | ")};\n`,
].join("\n");

if (process.argv.includes("--check")) {
  let old = "";
  try {
    old = readFileSync(target, "utf8");
  } catch {
    // not there: not up to date
  }
  if (old !== text) {
    console.error("src/wire.ts is not what schema/asyncapi.json says: npm run types");
    process.exit(1);
  }
} else {
  writeFileSync(target, text);
}
