/** Build the static page: bundles, copies and checks the size of everything in dist/. */

import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const PAGE = join(HERE, "src", "page");
const DIST = join(HERE, "dist");
const PACKAGE = join(HERE, "..", "mnistgen");

const MODEL = ["card.json", "model.onnx", "attributes.onnx", "encoder.onnx"].map((name) =>
  join("models", "digits", name),
);
const WASM = "ort-wasm-simd-threaded.wasm";
const LIMITS = { page: 150_000, models: 2_500_000 }; // bytes; the engine, .wasm, is not counted

const common = {
  absWorkingDir: HERE,
  bundle: true,
  minify: true,
  target: "es2022",
  outdir: DIST,
  logLevel: "warning",
};

await rm(DIST, { recursive: true, force: true });
await mkdir(join(DIST, "models"), { recursive: true });
await build({ ...common, entryPoints: ["main.ts", "worker.ts"].map((name) => join(PAGE, name)), format: "esm" });
for (const name of await readdir(PAGE)) {
  if (!name.endsWith(".ts")) await cp(join(PAGE, name), join(DIST, name));
}
for (const file of [...MODEL, "normal_quantiles.npy"]) {
  await cp(join(PACKAGE, file), join(DIST, "models", file.split(sep).at(-1)));
}
await cp(join(HERE, "node_modules", "onnxruntime-web", "dist", WASM), join(DIST, WASM));

// The service worker knows all files, and changes whenever one of them does.
const files = await filesIn(DIST);
const define = { FILES: JSON.stringify(files), VERSION: JSON.stringify(await hashOf(files)) };
await build({ ...common, define, entryPoints: [join(PAGE, "service-worker.ts")], format: "iife" });

await checkSizes([...files, "service-worker.js"]);

/** The files in a folder and below, relative to it, in alphabetical order. */
async function filesIn(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  return paths.map((path) => relative(folder, path).split(sep).join("/")).sort();
}

async function hashOf(names) {
  const hash = createHash("sha256");
  for (const name of names) hash.update(`${name}\n`).update(await readFile(join(DIST, name)));
  return hash.digest("hex").slice(0, 16);
}

async function checkSizes(names) {
  const sizes = { page: 0, models: 0, engine: 0 };
  for (const name of names) {
    const kind = name.endsWith(".wasm") ? "engine" : name.startsWith("models/") ? "models" : "page";
    sizes[kind] += (await stat(join(DIST, name))).size;
  }
  const text = (bytes) => `${(bytes / 1000).toFixed(0)} kB`;
  console.log(`dist: page ${text(sizes.page)}, models ${text(sizes.models)}, onnxruntime ${text(sizes.engine)}`);
  for (const [kind, limit] of Object.entries(LIMITS)) {
    if (sizes[kind] <= limit) continue;
    console.error(`dist: ${kind}: expected at most ${text(limit)}, got ${text(sizes[kind])}`);
    process.exitCode = 1;
  }
}
