/** A folder for what is built once for all files of tests (stack.ts). */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    folder: string;
  }
}

export default function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-dashboard-"));

  project.provide("folder", folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
