import { defineConfig } from "@lingui/cli";

export default defineConfig({
  sourceLocale: "en",
  locales: ["en", "pt-BR", "pl"],
  catalogs: [{ path: "<rootDir>/src/locales/{locale}", include: ["src"] }],
  compileNamespace: "ts",
});
