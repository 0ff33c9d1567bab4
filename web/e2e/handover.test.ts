import type { Browser, BrowserContext, Page, Route } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, enter, launch, newOrder, type Person, stack, wedge } from "./stack";

const PIN = "4711";
const OLGA = "Olga (operator)";
const TOM = "Tom (technician)";

let browser: Browser;
let admin: Person;
let context: BrowserContext;
let page: Page;
let badge: string;

interface Entry {
  event: string;
  actor_name: string;
}
const history = async (id: string) =>
  (await call<Entry[]>(admin.page, "get_order_timeline", { p_order_id: id }))
    .filter((entry) => entry.event !== "order.created")
    .map((entry) => `${entry.event} ${entry.actor_name}`);
const locked = () => page.getByRole("heading", { name: "Who works here?" }).waitFor();
const standing = (name: string) => page.getByRole("button", { name: `Lock: ${name}` }).waitFor();

async function unlock(): Promise<void> {
  await page.getByRole("button", { name: OLGA }).click();
  for (const digit of PIN) await page.getByRole("button", { name: digit, exact: true }).click();
  await page.getByRole("button", { name: "OK" }).click();
  await standing(OLGA);
}

/** Holds the first call of an RPC on its way until `go` decides what becomes of it. */
async function hold(
  rpc: string,
): Promise<{ asked: Promise<void>; go: (how: (route: Route) => Promise<void>) => void }> {
  let go: (how: (route: Route) => Promise<void>) => void = () => undefined;
  let tell: () => void = () => undefined;
  const decided = new Promise<(route: Route) => Promise<void>>((resolve) => {
    go = resolve;
  });
  const asked = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const handle = async (route: Route) => {
    tell();
    await (await decided)(route);
  };
  await page.route(`**/rpc/${rpc}`, handle, { times: 1 });
  return { asked, go };
}

beforeAll(async () => {
  browser = await launch();
  admin = await enter(browser, "admin");
  const staff = await call<{ user_id: string; full_name: string }[]>(admin.page, "list_staff", {});
  const idOf = (name: string) => staff.find((one) => one.full_name === name)?.user_id;
  await call(admin.page, "set_pin", { p_pin: PIN, p_user_id: idOf(OLGA) });
  badge = await call<string>(admin.page, "issue_badge", { p_user_id: idOf(TOM) });
  const device = { p_code: `shared-${Date.now() % 1_000_000}`, p_kind: "kiosk", p_name: "Shared", p_site: "main" };
  const { enrolment_code } = await call<{ enrolment_code: string }>(admin.page, "create_device", device);
  context = await browser.newContext({ baseURL: stack().url, locale: "en-AU", viewport: { width: 1180, height: 820 } });
  page = await context.newPage();
  await page.goto(`/#enrol=${enrolment_code}`);
  await page.getByRole("button", { name: "Make this a station" }).click();
  await locked();
});
afterAll(() => browser?.close());

test("a late answer about who stood there does not open the station again", async () => {
  await unlock();
  const whoami = await hold("whoami");
  await page.evaluate(() => window.dispatchEvent(new Event("online")));
  await whoami.asked;
  await page.getByRole("button", { name: `Lock: ${OLGA}` }).click();
  await locked();
  const answered = page.waitForResponse("**/rpc/whoami");
  // As Postgres answered it before the lock.
  const body = { user_id: crypto.randomUUID(), name: OLGA, role: "operator", stores: ["bannos"], permissions: [] };
  whoami.go((route) => route.fulfill({ json: body }));
  await answered;
  const { id } = await newOrder(admin.page);
  await wedge(page, id, 5);
  await page.getByText("That is not a badge.").waitFor();
  expect(await history(id)).toEqual([]);
});

test("what one person gave is never done as the next one", async () => {
  const { id } = await newOrder(admin.page);
  await unlock();
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Board", exact: true }).click();
  await page.locator("#search-box").fill(id);
  const start = await hold("handle_print_barcode");
  await page.getByRole("button", { name: `Start ${id}` }).click();
  await start.asked;
  await wedge(page, badge, 5);
  await standing(TOM);
  start.go((route) => route.abort("connectionreset"));
  await page.getByRole("link", { name: "Not sent: 1" }).click();
  await page.getByText(`By ${OLGA}. It goes out when ${OLGA} is here again.`).waitFor();
  await page.getByRole("button", { name: "Send now" }).click();
  expect(await history(id)).toEqual([]);

  await page.getByRole("button", { name: `Lock: ${TOM}` }).click();
  await unlock();
  await page.getByText("Everything has reached the server.").waitFor();
  expect(await history(id)).toEqual([`filling.started ${OLGA}`]);
});

test("tickets scanned before a badge are of the person before, those after it of the next; none is lost", async () => {
  const ids: string[] = [];
  for (let n = 0; n < 4; n += 1) ids.push((await newOrder(admin.page)).id);
  const [first, second, third, fourth] = ids as [string, string, string, string];
  const scan = await hold("scan");
  for (const code of [first, second, badge, third, fourth]) await wedge(page, code, 5);
  await scan.asked;
  scan.go((route) => route.continue());
  await standing(TOM);
  await expect.poll(() => history(fourth)).toEqual([`filling.started ${TOM}`]);
  expect(await history(first)).toEqual([`filling.started ${OLGA}`]);
  expect(await history(second)).toEqual([`filling.started ${OLGA}`]);
  expect(await history(third)).toEqual([`filling.started ${TOM}`]);
});

test("after an unknown badge nobody scans as the person before", async () => {
  const { id } = await newOrder(admin.page);
  const unlocking = await hold("identify_by_badge");
  await wedge(page, "TB-2222-3333-4444-5555", 5);
  await unlocking.asked;
  await wedge(page, id, 5);
  unlocking.go((route) => route.continue());
  await page.locator('[data-scan-tone="bad"]').getByText("The station is locked.").waitFor();
  expect(await history(id)).toEqual([]);
});

test("a reload leaves nothing of the screen before for the next person", async () => {
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Board", exact: true }).click();
  await page.getByRole("article").first().waitFor();
  const kept = () =>
    page.evaluate(
      () =>
        new Promise<boolean>((done) => {
          const opening = indexedDB.open("takt");
          opening.onsuccess = () => {
            const asked = opening.result.transaction("cache").objectStore("cache").get("queries");
            asked.onsuccess = () => {
              opening.result.close();
              done(JSON.stringify(asked.result ?? "").includes('"queryKey":["queue"'));
            };
          };
        }),
    );
  await expect.poll(kept, { timeout: 10_000 }).toBe(true);
  await page.reload();
  await locked();
  expect(await kept()).toBe(false);
});
