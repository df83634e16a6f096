// node validate.mjs OPENAPI ASYNCAPI: what the public validators say about the two documents.
// Ends with 1 where either of them is not valid.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";
import { Validator } from "@seriousme/openapi-schema-validator";

const [openapi, asyncapi] = process.argv.slice(2);
let faults = 0;

const result = await new Validator().validate(openapi);
if (!result.valid) {
  ++faults;
  console.log("openapi:", JSON.stringify(result.errors, null, 1));
}

const WARNING = 1; // 0 is an error; hints say which version is the latest
const { document, diagnostics } = await new Parser().parse(readFileSync(asyncapi, "utf8"));
for (const { severity, code, message, path } of diagnostics) {
  if (severity > WARNING) continue;
  ++faults;
  console.log("asyncapi:", code, message, path.join("."));
}
if (!document) ++faults;
process.exit(faults ? 1 : 0);
