// What every client here shares: its arguments (one JSON object), how long one of its seconds
// lasts, and telling the test what happens, one JSON object a line. Ends with its standard input.
import readline from "node:readline";

export const args = JSON.parse(process.argv[2] ?? "{}");
export const SECOND = args.second ?? 1000;

export function say(event, data = {}) {
  process.stdout.write(JSON.stringify({ event, ...data }) + "\n");
}

let react = () => {};
let end = () => process.exit(0);

export function onCommand(callback) {
  react = callback;
}

export function atEnd(callback) {
  end = callback;
}

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => react(JSON.parse(line)));
lines.on("close", () => end());
