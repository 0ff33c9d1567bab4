import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** What may differ from theme to theme. */
export const COLOURS = { type: "rule", values: ["color-contrast"] };
const EVERYTHING = { type: "tag", values: TAGS };

/** Rules broken on the page, each with the places. */
export async function violations(page: Page, runOnly = EVERYTHING): Promise<string[]> {
  // evaluate() goes round the page's Content-Security-Policy, which forbids the script tag that axe would like.
  await page.evaluate(AXE);
  return page.evaluate(async (runOnly) => {
    const { axe } = window as unknown as { axe: { run(options: object): Promise<{ violations: AxeFinding[] }> } };
    interface AxeFinding {
      id: string;
      nodes: { target: unknown; failureSummary?: string }[];
    }
    const found = await axe.run({ runOnly });
    return found.violations.flatMap((one) =>
      one.nodes.map((n) => `${one.id}: ${String(n.target)}: ${n.failureSummary ?? ""}`),
    );
  }, runOnly);
}
