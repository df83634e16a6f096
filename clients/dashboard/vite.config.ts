import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const client = fileURLToPath(new URL("../js/src", import.meta.url));

export default defineConfig({
  base: "./", // it may lie under a path prefix that nobody knows when it is built
  plugins: [react()],
  resolve: {
    alias: [
      { find: /^@tidegate\/client$/, replacement: `${client}/index.ts` },
      { find: /^@tidegate\/client\/(.*)$/, replacement: `${client}/$1.ts` },
      { find: /^(\.\/tabs-worker)\.js$/, replacement: `${client}/tabs-worker.ts` },
    ],
    dedupe: ["react", "react-dom", "vitest"],
  },
  worker: { format: "es" },
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // nothing for which a content security policy would need `data:`
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: {
      // .js, which every server knows the type of
      output: { assetFileNames: ({ names: [name = ""] }) => `assets/[name]-[hash]${name.endsWith(".mjs") ? ".js" : "[extname]"}` },
    },
    chunkSizeWarningLimit: 1500, // MapLibre is one piece
  },
  server: {
    fs: { allow: [fileURLToPath(new URL("../..", import.meta.url))] },
    // `npm run dev` beside a gateway: TIDEGATE=http://localhost:8000 npm run dev
    proxy: { "/api": { target: process.env.TIDEGATE ?? "http://localhost:8000", ws: true } },
  },
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
    globalSetup: "test/folder.ts",
    testTimeout: 240_000,
    hookTimeout: 240_000,
    maxWorkers: 2,
    minWorkers: 1,
  },
});
