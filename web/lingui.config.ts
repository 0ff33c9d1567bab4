import { defineConfig } from "@lingui/cli";

/** Half of all words: a language is two files, so that neither is large. */
const PLANT = ["print-farm", "inventory", "machines", "maintenance", "production", "units"];

export default defineConfig({
  sourceLocale: "en",
  locales: ["en", "pt-BR", "pl"],
  catalogs: [
    {
      path: "<rootDir>/src/locales/{locale}",
      include: ["src"],
      exclude: PLANT.map((name) => `**/features/${name}/**`),
    },
    { path: "<rootDir>/src/locales/plant/{locale}", include: PLANT.map((name) => `src/features/${name}`) },
  ],
  compileNamespace: "ts",
});
