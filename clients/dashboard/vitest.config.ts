import { defineConfig } from "vitest/config";
import { shared } from "./vite.config";

export default defineConfig({
  ...shared,
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
    globalSetup: "test/folder.ts",
    testTimeout: 240_000,
    hookTimeout: 240_000,
    maxWorkers: 2,
    minWorkers: 1,
  },
});
