import { onLeave } from "@/lib/session";
import { rememberedStore } from "@/lib/store";

/** A figure that was counted and not submitted yet. */
export interface Figure {
  counted: string;
  /** When it was looked at (ISO): what moves later does not make it wrong. */
  at: string;
  /** Of an item that nobody expected there. */
  title?: string;
  uom?: string;
}
export type Sheet = Record<string, Figure>;

/** Figures by count and SKU, so that a reload or a dead battery loses none. */
export const drafts = rememberedStore<Record<string, Sheet>>("takt.counts", {});
onLeave(() => drafts.set({})); // the next person at a station counts blind, too

export const note = (count: number, sku: string, figure: Figure): void =>
  drafts.set((old) => ({ ...old, [count]: { ...old[count], [sku]: figure } }));

/** Forgets what was submitted, or with `skus` left out everything of the count. */
export function forget(count: number, skus?: string[]): void {
  drafts.set((old) => {
    const { [String(count)]: sheet = {}, ...others } = old;
    const left = Object.fromEntries(Object.entries(sheet).filter(([sku]) => skus && !skus.includes(sku)));
    return Object.keys(left).length > 0 ? { ...others, [count]: left } : others;
  });
}

/** What was typed as the server takes it: up to nine digits and three decimals; null when it is no figure. */
export function figureOf(typed: string): string | null {
  const figure = typed.trim().replace(",", ".");
  return /^\d{1,9}(\.\d{1,3})?$/.test(figure) ? figure : null;
}
