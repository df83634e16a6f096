// What a page loads of the library, all of each entry, minified and gzipped, in bytes: {"core":…, "fallback":…, "tabs":…, …}.
import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const src = fileURLToPath(new URL("../src/", import.meta.url));
export const PARTS = {
  core: `export * from "./index.js";`,
  fallback: `export * from "./index.js"; export * from "./fallback.js";`,
  tabs: `export * from "./index.js"; export * from "./fallback.js"; export * from "./tabs.js";`,
  series: `export * from "./index.js"; export * from "./series.js";`,
  playback: `export * from "./index.js"; export * from "./playback.js";`,
  react: `export * from "./react.js";`,
};

export async function sizes() {
  const found = {};
  for (const [name, contents] of Object.entries(PARTS)) {
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: src, loader: "ts" }, bundle: true, minify: true, format: "esm", target: "es2022",
      external: ["react"], write: false,
    });
    found[name] = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  }
  return found;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(JSON.stringify(await sizes()));
