import { execFileSync } from "node:child_process";
import { join } from "node:path";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type CDPSession,
  chromium,
  type Locator,
  type Page,
} from "playwright-core";

export const ROOT = join(import.meta.dirname, "..", "..");
export const PASSWORD = process.env.TAKT_DEMO_PASSWORD ?? "takt-demo-2026";

interface Status {
  web_url: string;
  db_url: string;
  demo_shops?: { shop: string; secret: string }[];
}
let known: Status | undefined;

/** What `takt status --json` says about the running demo stack. */
export function status(): Status {
  known ??= JSON.parse(
    execFileSync(join(ROOT, ".venv", "bin", "takt"), ["status", "--json"], { encoding: "utf8" }),
  ) as Status;
  if (!known.web_url) throw new Error("No demo stack runs. Start one with: takt up --demo");
  return known;
}

/** The address of the client: TAKT_URL, else that of the running demo stack. */
export const stack = (): { url: string } => ({ url: process.env.TAKT_URL ?? status().web_url });

/** Debian's Chromium, or the one that TAKT_CHROMIUM names. */
export function launch(): Promise<Browser> {
  const path = process.env.TAKT_CHROMIUM ?? execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
  return chromium.launch({
    executablePath: path,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

export interface Person {
  context: BrowserContext;
  page: Page;
  /** What the console said that no console should say, and requests to anybody else. */
  complaints: string[];
}

/** A browser window with somebody signed in. `role`: viewer, operator … of the demo seed. */
export async function enter(browser: Browser, role: string, options: BrowserContextOptions = {}): Promise<Person> {
  const baseURL = options.baseURL ?? stack().url;
  const context = await browser.newContext({
    locale: "en-AU",
    viewport: { width: 1440, height: 900 },
    ...options,
    baseURL,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    const text = message.text();
    // A refused command is an answer with an HTTP status; Chromium writes those down by itself.
    if (/Uncompiled message/.test(text)) complaints.push(text); // a message that npm run messages has not seen
    if (message.type() === "error" && !/Failed to load resource|WebSocket|ERR_INTERNET/.test(text))
      complaints.push(text);
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (/^(http|ws)/.test(protocol) && origin !== new URL(baseURL).origin) complaints.push(`asked ${origin}`);
  });
  await page.goto("/");
  await page.getByLabel("E-mail").fill(`${role}@takt.localhost`);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Pages" }).waitFor();
  return { context, page, complaints };
}

/** Calls an RPC as whoever is signed in at the page. */
export function call<T>(page: Page, name: string, args: object): Promise<T> {
  return page.evaluate(
    async ({ name, args }) => {
      const { publishable_key } = (await (await fetch("/config.json")).json()) as { publishable_key: string };
      const session = JSON.parse(localStorage.getItem("takt.auth") ?? "{}") as { access_token: string };
      const answer = await fetch(`/rest/v1/rpc/${name}`, {
        method: "POST",
        headers: {
          apikey: publishable_key,
          authorization: `Bearer ${session.access_token}`,
          "content-type": "application/json",
        },
        body: JSON.stringify(args),
      });
      return (await answer.json()) as unknown;
    },
    { name, args },
  ) as Promise<T>;
}

/** A new ticket of the demo plant, taken by hand by the planner. */
export async function newOrder(planner: Page, fields: object = {}): Promise<{ id: string }> {
  const made = await call<{ id: string }[]>(planner, "create_manual_order", {
    p_store: "bannos",
    p_product_title: "Test cake",
    p_size: "Medium",
    p_flavour: "Vanilla",
    ...fields,
  });
  if (!made[0]?.id) throw new Error(JSON.stringify(made));
  return made[0];
}

const ENTER = { windowsVirtualKeyCode: 13, code: "Enter" };
const clocks = new WeakMap<Page, { session: Promise<CDPSession>; at: number }>();

/**
 * Types a code as a keyboard-wedge scanner does, `gapMs` between the keys, and ends it with Enter. The keys carry their
 * own times, as those of real hardware do: a busy computer delays their delivery, not their times.
 */
export async function wedge(page: Page, code: string, gapMs = 2): Promise<void> {
  const clock = clocks.get(page) ?? { session: page.context().newCDPSession(page), at: 0 };
  clocks.set(page, clock);
  const session = await clock.session;
  clock.at = Math.max(Date.now(), clock.at + gapMs);
  const sent: Promise<unknown>[] = []; // one connection: they arrive in the order in which they are sent
  for (const key of [...code, "Enter"]) {
    const event = { key, timestamp: clock.at / 1000, ...(key === "Enter" && ENTER) };
    const text = key === "Enter" ? "\r" : key;
    sent.push(session.send("Input.dispatchKeyEvent", { type: "keyDown", text, ...event }));
    sent.push(session.send("Input.dispatchKeyEvent", { type: "keyUp", ...event }));
    clock.at += gapMs;
  }
  await Promise.all(sent);
}

/** Opens an address and waits until the page listens. */
export async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await page.getByRole("navigation", { name: "Pages" }).waitFor();
}

/** A command on bad Wi-Fi: the server does it, its answer is lost, and the glove taps the button again, twice. */
export async function loseAnswers(page: Page, rpc: string, button: Locator): Promise<void> {
  const address = `**/rest/v1/rpc/${rpc}`;
  await page.route(address, async (route) => {
    await route.fetch();
    await route.abort("connectionreset");
  });
  await button.click();
  await page.getByText("No connection to the server.").first().waitFor();
  await page.unroute(address);
  await button.dblclick();
}
