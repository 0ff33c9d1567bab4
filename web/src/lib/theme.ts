import { rememberedStore } from "./store";

export type Theme = "system" | "light" | "dark";
export const theme = rememberedStore<Theme>("takt.theme", "system");

function apply(): void {
  const choice = theme.get();
  if (choice === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
}

export function startTheme(): void {
  apply();
  theme.subscribe(apply);
}
