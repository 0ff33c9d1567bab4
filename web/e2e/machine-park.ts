import { readFileSync } from "node:fs";
import type { Browser, Locator, Page } from "playwright-core";
import { ask, RUN } from "./routed";
import { enter, launch, type Person } from "./stack";

export let browser: Browser;
export let operator: Person;
export let technician: Person;
export let supervisor: Person;
export const CENTRE = `HALL-${RUN}`;
/** A reason of this run, offered first; its time leaves the plan, as this plant counts it. */
export const REASON = { code: `trial-${RUN.toLowerCase()}`, title: `Trial ${RUN}` };

const ZONE = "Australia/Sydney";
const wall = (at: number, part: Intl.DateTimeFormatOptions) =>
  new Intl.DateTimeFormat("en-CA", { timeZone: ZONE, hourCycle: "h23", ...part }).format(at);
export const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();

/** Signs everybody in, and makes a hall whose one shift began three hours ago. */
export async function begin(): Promise<void> {
  browser = await launch();
  [operator, technician, supervisor] = (await Promise.all(
    ["operator", "technician", "supervisor"].map((role) => enter(browser, role)),
  )) as [Person, Person, Person];
  const planner = await enter(browser, "planner");
  const step = { p_code: `WORK-${RUN}`, p_title: `Work ${RUN}`, p_sequence: 950, p_kind: "cut" };
  await ask(planner, "save_process_step", step);
  const place = { p_code: CENTRE, p_title: `Hall ${RUN}`, p_step: step.p_code, p_type: "CNC", p_site: "main" };
  await ask(planner, "save_work_centre", place);
  const begins = wall(Date.now() - 3 * 3_600_000, { timeStyle: "short" });
  const p_shifts = [{ shift: "day", title: "Day", starts: begins, ends: begins }];
  const p_valid_from = wall(Date.now() - 2 * 86_400_000, { dateStyle: "short" });
  await ask(planner, "save_shift_pattern", { p_work_centre: CENTRE, p_valid_from, p_shifts });
  await ask(planner, "save_stop_reason", {
    p_code: REASON.code,
    p_title: REASON.title,
    p_parent: "unplanned",
    p_time_class: "utilities",
    p_position: 1,
  });
  const policy = { p_time_class: "utilities", p_policy: "excluded", p_site: "main", p_valid_from: ago(300) };
  await ask(planner, "set_time_policy", policy);
  await planner.context.close();
}

export async function end(): Promise<void> {
  await ask(supervisor, "save_stop_reason", { p_code: REASON.code, p_is_active: false });
  const policy = { p_time_class: "utilities", p_policy: "loss_availability", p_site: "main" };
  await ask(supervisor, "set_time_policy", policy);
  await browser.close();
}

/** A machine of the hall that has run for two hours, and made a piece a minute until three quarters of an hour ago. */
export async function machine(name: string): Promise<string> {
  const code = `${name}-${RUN}`;
  await ask(supervisor, "save_machine", { p_code: code, p_name: code, p_site: "main", p_work_centre: CENTRE });
  await ask(supervisor, "set_ideal_cycle", { p_machine: code, p_ideal_s: 60 });
  await states(code, [[120, "running"]]);
  const p_counts = Array.from({ length: 8 }, (_, n) => ({
    machine: code,
    key: `${code} ${n}`,
    at: ago(118 - 10 * n),
    good: 10,
  }));
  await ask(operator, "record_counts", { p_counts });
  return code;
}

/** What it did, from so many minutes ago on. */
export const states = (code: string, list: [number, string][]) =>
  ask(operator, "record_machine_states", {
    p_events: list.map(([minutes, state]) => ({ machine: code, at: ago(minutes), state })),
  });

/** What a page hands over as a workbook, which it is, and as CSV: its lines. */
export async function filesOf(page: Page): Promise<string[]> {
  const [book, text] = [await fileOf(page, "XLSX"), await fileOf(page, "CSV")];
  if (String(book.subarray(0, 2)) !== "PK") throw new Error("That is no workbook.");
  return String(text).trim().split("\n");
}
async function fileOf(page: Page, button: string): Promise<Buffer> {
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: button, exact: true }).click();
  return readFileSync(await (await saved).path());
}

/** A file of a camera with a name that nobody must trust. */
export const picture = (png: Uint8Array) => ({ name: "../leak.png", mimeType: "image/png", buffer: Buffer.from(png) });

/** Adds a photo to the repair whose page is open. */
export async function addPhoto(page: Page, png: Uint8Array): Promise<void> {
  await page.getByLabel("Add a photo").setInputFiles(picture(png));
  await page.getByRole("button", { name: "Keep this photo" }).click();
  await says(page, "The photo is kept.");
}

/** How wide pictures are; 0 of one that is not there. */
export const widths = (of: Locator) =>
  of.evaluateAll((all) => all.map((one) => (one as HTMLImageElement).naturalWidth));

/** What a person does on the next page that is opened: each tap, and each key in a field. */
export async function countTaps(page: Page): Promise<() => Promise<string[]>> {
  await page.addInitScript(() => {
    const done: string[] = [];
    (window as unknown as { done: string[] }).done = done;
    for (const kind of ["click", "input"]) addEventListener(kind, () => done.push(kind), true);
  });
  return () => page.evaluate(() => (window as unknown as { done: string[] }).done);
}

/** A window of somebody who only scanned the code on a machine. */
export async function passerBy(locale = "en-AU"): Promise<Page> {
  const baseURL = new URL(operator.page.url()).origin;
  const context = await browser.newContext({ baseURL, locale, viewport: { width: 390, height: 844 } });
  return context.newPage();
}

/** A figure of the page, as it is shown. */
export const figure = (page: Page, name: string) => page.locator(`[data-figure="${name}"]`).first();

/** Waits until a message says so. */
export const says = (page: Page, words: string | RegExp) =>
  page.locator("ul[aria-live=polite]").getByText(words).first().waitFor();
