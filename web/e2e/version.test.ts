import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { build, type PreviewServer, preview } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import { enter, launch, stack } from "./stack";

const ROOT = join(import.meta.dirname, "..");
const outDir = mkdtempSync(join(tmpdir(), "takt-web-"));
let browser: Browser;
let server: PreviewServer;

/** Builds the client into the folder that is served; `name` is what the page says of itself. */
async function publish(name: string): Promise<void> {
  process.env.NODE_ENV = "production"; // vitest says "test", which React takes for development
  const mark = `\ndocument.documentElement.dataset.build = ${JSON.stringify(name)};\n`;
  await build({
    root: ROOT,
    logLevel: "error",
    build: { outDir, emptyOutDir: true },
    plugins: [{ name: "mark", transform: (code, id) => (id.endsWith("/src/main.tsx") ? code + mark : undefined) }],
  });
}

beforeAll(async () => {
  browser = await launch();
  await publish("first");
  const target = stack().url;
  const proxied = ["/config.json", "/rest", "/auth", "/realtime"];
  const proxy = Object.fromEntries(proxied.map((path) => [path, { target, ws: path === "/realtime" }]));
  server = await preview({ root: ROOT, build: { outDir }, preview: { host: "127.0.0.1", port: 0, proxy } });
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await server?.close();
  rmSync(outDir, { recursive: true, force: true });
});

const built = (page: Page) => page.evaluate(() => document.documentElement.dataset.build);
/** Asks for a new worker, as the page itself does now and then. */
const lookForNew = (page: Page) =>
  page.evaluate(async () => {
    await (await navigator.serviceWorker.ready).update();
  });
const banner = (page: Page) => page.getByText("A new version is ready.");

test("a new build is offered, and loaded when the person says so; the other tab goes on", async () => {
  const baseURL = server.resolvedUrls?.local[0];
  const { page, context, complaints } = await enter(browser, "operator", { baseURL });
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  const other = await context.newPage();
  await other.goto("/board");
  await other.getByRole("article").first().waitFor();

  await publish("second");
  await lookForNew(page);
  await banner(page).waitFor();
  await banner(other).waitFor();
  expect(await violations(page)).toEqual([]);
  expect([await built(page), await built(other)]).toEqual(["first", "first"]);

  await page.getByRole("button", { name: "Reload" }).click();
  await page.waitForFunction(() => document.documentElement.dataset.build === "second");
  await page.getByRole("article").first().waitFor();
  expect(await banner(page).count()).toBe(0);

  // The other tab was not reloaded, is still told, and still opens pages of its own build.
  expect(await built(other)).toBe("first");
  expect(await banner(other).count()).toBe(1);
  await other.getByRole("link", { name: "Dashboard" }).click();
  await other.getByRole("heading", { name: "Dashboard" }).waitFor();
  expect(await built(other)).toBe("first");
  await other.getByRole("button", { name: "Reload" }).click();
  await other.waitForFunction(() => document.documentElement.dataset.build === "second");

  // Without a network it is the new build that opens.
  await context.setOffline(true);
  await page.reload();
  await page.getByRole("article").first().waitFor();
  expect(await built(page)).toBe("second");
  expect(complaints).toEqual([]);
}, 180_000);

test("a page that is of the new build already says nothing", async () => {
  const baseURL = server.resolvedUrls?.local[0];
  const { page } = await enter(browser, "planner", { baseURL });
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await publish("third");
  await page.reload(); // pages come from the network first
  await page.waitForFunction(() => document.documentElement.dataset.build === "third");
  await lookForNew(page);
  await page.waitForFunction(async () => {
    const { active, waiting } = await navigator.serviceWorker.ready;
    if (!active || waiting) return false;
    const { port1, port2 } = new MessageChannel();
    const files = new Promise<string[]>((resolve) => {
      port1.onmessage = ({ data }) => resolve(data as string[]);
    });
    active.postMessage("files", [port2]);
    const entry = document.querySelector<HTMLScriptElement>("script[type=module]")?.src ?? "";
    return (await files).includes(new URL(entry).pathname); // the worker of the new build took over by itself
  });
  expect(await banner(page).count()).toBe(0);
}, 180_000);
