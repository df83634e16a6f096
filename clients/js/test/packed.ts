/** The package as npm makes it of the sources, of which nobody has built anything. */
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const MADE = ["node_modules", "dist", "test"];

/* Nothing here may block: vitest takes a worker that says nothing for a minute for dead. */
export const run = promisify(execFile);

/** In a folder of its own, which the caller removes: test files run beside each other. */
export async function pack(): Promise<{ folder: string; tarball: string }> {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-pack-"));

  for (const name of readdirSync(root)) if (!MADE.includes(name)) cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  await run("npm", ["pack", "--silent"], { cwd: folder });
  return { folder, tarball: join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz"))!) };
}
