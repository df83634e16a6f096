import { fileURLToPath } from "node:url";
import { defineConfig, type UserConfig } from "vite";

const client = fileURLToPath(new URL("../js/src", import.meta.url));

/** For who builds, works on it, and tests it. */
export const shared: UserConfig = {
  base: "./", // it may lie under a path prefix that nobody knows when it is built
  esbuild: { jsx: "automatic" },
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
};

/* What a build does without is not fetched for one (deploy/dashboard): only who works on it has the plugin, and those of tests. */
export default defineConfig(async ({ command }) =>
  ({ ...shared, plugins: command === "serve" ? [(await import("@vitejs/plugin-react")).default()] : [] }));
