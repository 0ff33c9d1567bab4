import { i18n, type Messages } from "@lingui/core";
import { createStore } from "./store";

/** Every language with complete catalogues in src/locales and src/locales/plant; add one there and here. */
export const LANGUAGES = { en: "English", "pt-BR": "Português (Brasil)", pl: "Polski" } as const;
export type Language = keyof typeof LANGUAGES;

type Catalogue = { messages: Messages };
const LOADERS: Record<Exclude<Language, "en">, () => Promise<Catalogue[]>> = {
  "pt-BR": () => Promise.all([import("@/locales/pt-BR.po"), import("@/locales/plant/pt-BR.po")]),
  pl: () => Promise.all([import("@/locales/pl.po"), import("@/locales/plant/pl.po")]),
};

export const language = createStore<Language>("en");

function preferred(): Language {
  const wishes = [localStorage.getItem("takt.language") ?? "", ...navigator.languages];
  const codes = Object.keys(LANGUAGES) as Language[];
  for (const wish of wishes) {
    const exact = codes.find((code) => code.toLowerCase() === wish.toLowerCase());
    const base = exact ?? codes.find((code) => code.split("-")[0] === wish.split("-")[0]);
    if (base) return base;
  }
  return "en";
}

/** Switches the language (English stands in the code: scripts/compile-english.ts); what has no translation stays English. */
export async function setLanguage(code: Language, remember = true): Promise<void> {
  const catalogues = code === "en" ? [] : await LOADERS[code]();
  i18n.loadAndActivate({ locale: code, messages: Object.assign({}, ...catalogues.map((one) => one.messages)) });
  document.documentElement.lang = code;
  if (remember) localStorage.setItem("takt.language", code);
  language.set(code);
}

export async function startLanguage(): Promise<void> {
  await setLanguage("en", false);
  const wish = preferred();
  if (wish !== "en") await setLanguage(wish, false).catch(() => undefined);
}
