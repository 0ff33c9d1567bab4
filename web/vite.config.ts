import { join } from "node:path";
import { lingui } from "@lingui/vite-plugin";
import babel from "@rolldown/plugin-babel";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { compileEnglish } from "./scripts/compile-english.ts";
import { shellWorker } from "./scripts/shell-worker.ts";

// The gateway of a running stack, for `npm run dev`; see `takt status`.
const GATEWAY = process.env.TAKT_URL ?? "http://127.0.0.1:54321";

/** Tests in Chromium against one running stack: one after the other. */
const browser = { environment: "node", testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false } as const;

export default defineConfig({
  plugins: [
    react(),
    babel({ plugins: [["@lingui/babel-plugin-lingui-macro", { stripMessageField: false }], compileEnglish] }),
    lingui({ failOnCompileError: true }),
    tailwindcss(),
    shellWorker("scripts/sw.js"),
  ],
  resolve: { alias: { "@": join(import.meta.dirname, "src") } },
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: {
    host: "127.0.0.1",
    proxy: Object.fromEntries(
      ["/config.json", "/rest", "/auth", "/storage", "/realtime", "/api", "/simulator", "/print-jobs"].map((path) => [
        path,
        { target: GATEWAY, ws: path === "/realtime" },
      ]),
    ),
  },
  test: {
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["src/**/*.test.ts", "scripts/*.test.ts"], environment: "node" },
      },
      { extends: true, test: { name: "e2e", include: ["e2e/**/*.test.ts"], ...browser } },
      { extends: true, test: { name: "screenshots", include: ["e2e/screenshots.ts"], ...browser } },
    ],
  },
});
