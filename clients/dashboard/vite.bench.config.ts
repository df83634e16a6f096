import { mergeConfig } from "vite";
import config from "./vitest.config";

/** The same, with what measures in place of the tests. */
export default mergeConfig({ ...config, test: { ...config.test, include: [] } }, { test: { include: ["bench/**/*.test.ts"] } });
