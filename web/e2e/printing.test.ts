import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { prepareZXingModule, readBarcodes } from "zxing-wasm/reader";
import { violations } from "./axe";
import { call, enter, launch, newOrder, open, type Person, stack, wedge } from "./stack";

let browser: Browser;
let operator: Person;
let planner: Person;

beforeAll(async () => {
  const wasm = createRequire(import.meta.url).resolve("zxing-wasm/reader/zxing_reader.wasm");
  prepareZXingModule({ overrides: { wasmBinary: readFileSync(wasm).buffer as ArrayBuffer } });
  browser = await launch();
  [operator, planner] = await Promise.all([enter(browser, "operator"), enter(browser, "planner")]);
});
afterAll(() => browser?.close());

interface Paper {
  n: number;
  texts: string[];
}
const simulator = (path: string, given?: object) =>
  fetch(`${stack().url}/simulator/printers/${path}`, {
    ...(given ? { method: "POST", body: JSON.stringify(given), headers: { "content-type": "application/json" } } : {}),
  });

/** The labels of a thing that lie before a virtual printer. */
async function labelsOf(printer: string, subject: string): Promise<Paper[]> {
  const paper = (await (await simulator(`${printer}/paper?limit=200`)).json()) as Paper[];
  return paper.filter((label) => label.texts.some((text) => text.includes(subject)));
}

/** What a scanner reads on a label that came out. */
async function scanned(printer: string, n: number): Promise<string[]> {
  const png = new Uint8Array(await (await simulator(`${printer}/paper/${n}.png`)).arrayBuffer());
  return (await readBarcodes(png, { formats: ["QRCode", "Code128"] })).map((code) => code.text);
}

interface Job {
  id: number;
  state: string;
  printer: string;
}
const jobsOf = async (subject: string): Promise<Job[]> =>
  (await call<{ jobs: Job[] | null }>(planner.page, "get_print_jobs", { p_subject: subject })).jobs ?? [];

async function printTicket(person: Person, id: string): Promise<void> {
  const { page } = person;
  await open(page, `/orders/${id}`);
  await page.getByRole("button", { name: "Print a label" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Print", exact: true }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
}

test("a ticket printed in the browser comes out of the printer, and scanning it starts the work", async () => {
  const { id } = await newOrder(planner.page);
  await printTicket(operator, id);
  await expect.poll(() => labelsOf("prn-1", id), { timeout: 20_000 }).toHaveLength(1);
  const [label] = await labelsOf("prn-1", id);
  const codes = await scanned("prn-1", label?.n ?? 0);
  expect(codes).toEqual([id, id]); // the square and the bars say the same
  await wedge(operator.page, codes[0] ?? "", 5);
  await operator.page.locator('[data-scan-tone="ok"]').first().getByText("Filling started").first().waitFor();
});

test("asking twice prints once; once more needs a reason", async () => {
  const { id } = await newOrder(planner.page);
  await printTicket(operator, id);
  await expect.poll(async () => (await jobsOf(id)).map((job) => job.state), { timeout: 20_000 }).toEqual(["printed"]);
  await printTicket(operator, id);
  await operator.page.getByText(/was asked for already/).waitFor();
  expect(await labelsOf("prn-1", id)).toHaveLength(1);

  const { page } = operator;
  await open(page, `/printing/jobs?subject=${id}`);
  await page.getByRole("link", { name: new RegExp(id) }).click();
  await page.getByRole("button", { name: "Print it again" }).click();
  const dialog = page.getByRole("dialog");
  expect(await dialog.getByRole("button", { name: "Print it again" }).isDisabled()).toBe(true);
  await dialog.getByRole("button", { name: "The label is damaged" }).click();
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Print it again" }).click();
  await expect.poll(() => labelsOf("prn-1", id), { timeout: 20_000 }).toHaveLength(2);
  await expect.poll(async () => (await jobsOf(id)).length).toBe(2);
});

test("what is the matter with a printer is said in words, and ends when it ends", async () => {
  const { page } = planner;
  await open(page, "/printing");
  await simulator("prn-2/faults", { fault: "head_open" });
  const card = page.getByRole("region", { name: "Electronics bench" });
  await card.getByText("The cover is open: close it.").waitFor({ timeout: 30_000 });
  expect(await violations(page)).toEqual([]);
  await simulator("prn-2/faults", { clear: "head_open" });
  await card.getByText("The cover is open: close it.").waitFor({ state: "detached", timeout: 30_000 });
});

test("a label that nobody can know about waits for a person beside the printer", async () => {
  const { id } = await newOrder(planner.page);
  await simulator("prn-3/faults", { fault: "reset", after_bytes: 100 }); // a printer without a counter
  await call(operator.page, "request_print", { p_label_type: "box", p_subject: id, p_printer: "prn-3" });
  await expect.poll(async () => (await jobsOf(id))[0]?.state, { timeout: 30_000 }).toBe("unknown");
  await simulator("prn-3/faults", { clear: "reset" });
  const { page } = operator;
  await open(page, "/printing");
  const alarm = page.getByRole("list", { name: "Alarms" }).getByRole("listitem").filter({ hasText: id });
  await alarm.getByRole("group", { name: "Did it come out?" }).waitFor();
  expect(await violations(page)).toEqual([]);
  await alarm.getByRole("button", { name: "It did not" }).click();
  await alarm.waitFor({ state: "detached" });
  expect((await jobsOf(id)).map((job) => job.state)).toEqual(["failed"]);
});

test("a template is drawn while it is edited, proved in the browser, and prints", { timeout: 120_000 }, async () => {
  const { page } = planner;
  await open(page, "/printing/templates/item");
  await page.getByRole("img", { name: "The label" }).waitFor();
  const field = page.getByRole("group", { name: "Text" }).first();
  const height = 3 + (Date.now() % 1000) / 1000; // a version that nobody has proved before
  await field.getByLabel("Line height (mm)").fill(String(height));
  await field.getByLabel("Width (mm)").fill("400");
  await page
    .getByRole("alert")
    .filter({ hasText: /does not fit/ })
    .waitFor(); // refused with a sentence, while typing
  await field.getByLabel("Width (mm)").fill("37");
  await page
    .getByRole("alert")
    .filter({ hasText: /does not fit/ })
    .waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Save as a new draft" }).click();
  await page.getByRole("button", { name: "Prove that it scans" }).click();
  await page.getByRole("button", { name: "Activate" }).click({ timeout: 90_000 });
  await page.getByText(/prints from now on/).waitFor();
});

test("an operator sees templates and changes none; nothing complained", async () => {
  const { page } = operator;
  await open(page, "/printing/templates/item");
  await page.getByRole("img", { name: "The label" }).or(page.getByRole("alert")).first().waitFor();
  expect(await page.getByRole("button", { name: "Save as a new draft" }).count()).toBe(0);
  const refused = await call<{ hint: string }>(page, "activate_label_version", { p_version_id: 1 });
  expect(refused.hint).toBe("auth.forbidden");
  expect([...operator.complaints, ...planner.complaints]).toEqual([]);
});
