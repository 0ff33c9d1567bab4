import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { beforeAll, expect, test } from "vitest";

const KIB = 1024;
const ROOT = join(import.meta.dirname, "..");
let files: (Rolldown.OutputChunk | Rolldown.OutputAsset)[];

beforeAll(async () => {
  process.env.NODE_ENV = "production"; // vitest says "test", which React and Lingui take for development

  const made = (await build({ root: ROOT, logLevel: "error", build: { write: false } })) as Rolldown.RolldownOutput;
  files = made.output;
}, 120_000);

const gzipped = (text: string | Uint8Array) => gzipSync(text).length / KIB;

/** The entry and everything it imports without waiting. */
function firstLoad(): Rolldown.OutputChunk[] {
  const chunks = new Map(files.filter((file) => file.type === "chunk").map((chunk) => [chunk.fileName, chunk]));
  const entry = [...chunks.values()].find((chunk) => chunk.isEntry);
  const loaded = new Set<Rolldown.OutputChunk>();
  const walk = (chunk: Rolldown.OutputChunk | undefined) => {
    if (!chunk || loaded.has(chunk)) return;
    loaded.add(chunk);
    for (const name of chunk.imports) walk(chunks.get(name));
  };
  walk(entry);
  return [...loaded];
}

test("the operator's first load is at most 200 KiB of JavaScript and 15 KiB of CSS, gzipped", () => {
  const script = firstLoad().reduce((sum, chunk) => sum + gzipped(chunk.code), 0);
  const style = files
    .filter((file) => file.fileName.endsWith(".css"))
    .reduce((sum, file) => sum + gzipped((file as Rolldown.OutputAsset).source), 0);
  expect(script).toBeLessThanOrEqual(200);
  expect(style).toBeLessThanOrEqual(15);
});

test("every later page is at most 40 KiB", () => {
  const first = new Set(firstLoad().map((chunk) => chunk.fileName));
  for (const file of files) {
    if (file.type === "chunk" && !first.has(file.fileName))
      expect(gzipped(file.code), file.fileName).toBeLessThanOrEqual(40);
  }
});

test("the worker keeps the whole shell and nothing of the camera's large part", () => {
  const worker = files.find((file) => file.fileName === "sw.js") as Rolldown.OutputAsset;
  const text = String(worker.source);
  for (const file of files) if (file.type === "chunk") expect(text).toContain(`/${file.fileName}`);
  expect(text).not.toContain(".wasm");
});

test("React files are at most 250 lines", () => {
  const long = (readdirSync(join(ROOT, "src"), { recursive: true }) as string[])
    .filter((name) => /\.tsx?$/.test(name) && !name.endsWith(".gen.ts") && statSync(join(ROOT, "src", name)).isFile())
    .map((name) => [name, readFileSync(join(ROOT, "src", name), "utf8").split("\n").length] as const)
    .filter(([, lines]) => lines > 251);
  expect(long).toEqual([]);
});
