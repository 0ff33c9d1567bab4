import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

/** The label renderer: 9 MB that only printing pages load, when somebody wants a picture. */
export const LARGE = /^assets\/worker-/;

/** Writes sw.js next to the build: the worker's source with the list of this build's files in front. */
export function shellWorker(source: string): Plugin {
  return {
    name: "takt-shell-worker",
    apply: "build",
    generateBundle(_options, bundle) {
      const files = Object.keys(bundle)
        .filter((name) => /\.(js|css)$/.test(name) && !LARGE.test(name))
        .sort()
        .map((name) => `/${name}`);
      const version = createHash("sha256").update(files.join("\n")).digest("hex").slice(0, 12);
      const code = readFileSync(join(import.meta.dirname, "..", source), "utf8");
      const head = `const VERSION = ${JSON.stringify(version)};\nconst FILES = ${JSON.stringify(["/", ...files])};\n`;
      this.emitFile({ type: "asset", fileName: "sw.js", source: head + code });
    },
  };
}
