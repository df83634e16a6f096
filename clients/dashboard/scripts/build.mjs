// Makes dist/: what the gateway serves. Names have a hash, each text has a .gz beside it; says how large it is.
//
//   node scripts/build.mjs [--outDir FOLDER]      needs `npm ci --ignore-scripts` before
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({ options: { outDir: { type: "string", default: join(root, "dist") } } });
const outDir = values.outDir;

process.env.NODE_ENV = "production"; // also where tests build it, which say "test": React would be that of who works on it
await build({ root, logLevel: "warn", build: { outDir, emptyOutDir: true } });

const files = readdirSync(outDir, { recursive: true }).map(String).filter((name) => statSync(join(outDir, name)).isFile());
let total = 0;
for (const name of files.sort()) {
  const plain = readFileSync(join(outDir, name));
  const packed = gzipSync(plain, { level: 9 });

  if (/\.(js|mjs|css|html|json|svg)$/.test(name)) writeFileSync(join(outDir, `${name}.gz`), packed);
  total += packed.length;
  console.log(`${`${Math.ceil(packed.length / 1024)}`.padStart(6)} kB  ${name}`);
}
console.log(`${`${Math.ceil(total / 1024)}`.padStart(6)} kB  in ${files.length} files, by gzip`);
