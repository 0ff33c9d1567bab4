import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import { shoot, showAs, THEMES } from "./shots";
import { call, enter, launch, newOrder, type Person, stack, wedge } from "./stack";

const PIN = "4711";
const CODE = `tablet-${Date.now() % 1_000_000}`;

let browser: Browser;
let admin: Person;
let context: BrowserContext;
let page: Page;
let badge: string;

interface Member {
  user_id: string;
  full_name: string;
}
const person = async (name: string): Promise<Member> => {
  const staff = await call<Member[]>(admin.page, "list_staff", {});
  const found = staff.find((one) => one.full_name.startsWith(name));
  if (!found) throw new Error(`no ${name}`);
  return found;
};
const locked = () => page.getByRole("heading", { name: "Who works here?" }).waitFor();
const identified = (name: string) => page.getByRole("button", { name: `Lock: ${name}` }).waitFor();

async function typePin(name: string, pin: string): Promise<void> {
  await page.getByRole("button", { name }).click();
  for (const digit of pin) await page.getByRole("button", { name: digit, exact: true }).click();
  await page.getByRole("button", { name: "OK" }).click();
}

beforeAll(async () => {
  browser = await launch();
  admin = await enter(browser, "admin");
  for (const name of ["Olga", "Tom"]) {
    await call(admin.page, "set_pin", { p_pin: PIN, p_user_id: (await person(name)).user_id });
  }
  badge = await call<string>(admin.page, "issue_badge", { p_user_id: (await person("Sami")).user_id });
  context = await browser.newContext({
    baseURL: stack().url,
    locale: "en-AU",
    viewport: { width: 1180, height: 820 },
    hasTouch: true,
  });
  page = await context.newPage();
});
afterAll(() => browser?.close());

test("a tablet becomes a station with the code of the Devices page", async () => {
  await admin.page.goto("/admin/devices");
  await admin.page.getByRole("button", { name: "Add a device" }).click();
  const dialog = admin.page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("Tablet at the oven");
  await dialog.getByLabel("Code", { exact: true }).fill(CODE);
  await dialog.getByLabel("Kind").selectOption("kiosk");
  await dialog.getByRole("button", { name: "Make a code" }).click();
  await dialog.getByRole("img", { name: "Enrolment code" }).waitFor();
  const code = await dialog.locator("p.font-mono").textContent();

  await page.goto(`/#enrol=${code}`); // what the tablet's camera opens
  expect(await page.getByLabel("Enrolment code").inputValue()).toBe(code);
  await page.getByRole("button", { name: "Make this a station" }).click();
  await locked();
  expect(page.url()).not.toContain(code);
  await page.reload();
  await locked(); // the station stays signed in

  const other = await browser.newContext({ baseURL: stack().url });
  const second = await other.newPage();
  await second.goto(`/#enrol=${code}`);
  await second.getByRole("button", { name: "Make this a station" }).click();
  await second.getByText("The code is wrong, used, or too old.").waitFor(); // it works once
  await other.close();
});

test("the lock screen and the PIN pad are accessible in both themes", async () => {
  for (const theme of THEMES) {
    await showAs(page, theme);
    await page.getByRole("button", { name: "Olga" }).waitFor();
    await shoot(page, `station-${theme}`);
    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Olga" }).click();
    await shoot(page, `station-pin-${theme}`);
    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Back to the names" }).click();
  }
});

test("name and PIN; what is done there carries the person and the station", async () => {
  await typePin("Olga", PIN);
  await identified("Olga");
  const { id } = await newOrder(admin.page);
  await wedge(page, id, 5);
  await page.locator('[data-scan-tone="ok"]').first().getByText("Filling started").first().waitFor();
  const events = await call<{ event: string; actor_id: string; station: string }[]>(admin.page, "get_order_timeline", {
    p_order_id: id,
  });
  const started = events.find((entry) => entry.event === "filling.started");
  expect(started).toMatchObject({ actor_id: (await person("Olga")).user_id, station: CODE });
});

test("a badge takes over from whoever stood there, wherever the focus is, and is never shown", async () => {
  await page.locator("input").first().focus();
  await wedge(page, badge, 20);
  await identified("Sami");
  expect(await page.content()).not.toContain(badge);
  expect(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).not.toContain(badge);
});

test("one tap locks; nothing of the person stays in the browser", async () => {
  await page.getByRole("button", { name: "Lock: Sami" }).click();
  await locked();
  const kept = await page.evaluate(() => [document.cookie, JSON.stringify(localStorage)].join());
  expect(kept).not.toMatch(/x-takt-person|[0-9a-f]{64}/);
  const me = await call<{ role: string }>(page, "whoami", {});
  expect(me.role).toBe("device.kiosk");
  await wedge(page, "bannos-1", 5);
  await page.getByText("That is not a badge.").waitFor(); // no work without a person
});

test("the station locks by itself, says so before, and the server agrees", async () => {
  await page.clock.install();
  await typePin("Olga", PIN);
  await identified("Olga");
  await page.clock.fastForward("04:35");
  await page.getByText(/This station locks in \d+ s/).waitFor();
  await page.mouse.click(600, 5); // a touch keeps it
  await page.getByText(/This station locks in/).waitFor({ state: "detached" });
  await page.clock.fastForward("05:01");
  await locked();
  await page.clock.resume();
});

test("a session that the server has ended locks the page at the next call", async () => {
  await typePin("Olga", PIN);
  await identified("Olga");
  await call(page, "leave_station", {}); // as another tab of this station would
  await page.evaluate(() => window.dispatchEvent(new Event("online"))); // the page asks again
  await locked();
});

test("guesses are counted before they are checked: the fifth wrong PIN locks out, also the right one", async () => {
  for (const left of [4, 3, 2, 1]) {
    await typePin("Tom", "1357");
    await page.getByText(`Wrong PIN. ${left} more tries before it locks.`).waitFor();
    await page.getByRole("button", { name: "Back to the names" }).click();
  }
  await typePin("Tom", "1357");
  await page.getByText("Too many wrong PINs.").waitFor();
  await page.getByRole("button", { name: "Back to the names" }).click();
  await typePin("Tom", PIN);
  await page.getByText("Too many wrong PINs.").waitFor();
  await page.getByRole("button", { name: "Back to the names" }).click();

  await call(admin.page, "set_pin", { p_pin: PIN, p_user_id: (await person("Tom")).user_id }); // a manager helps
  await typePin("Tom", PIN);
  await identified("Tom");
});

test("a revoked station can do nothing more", async () => {
  await call(admin.page, "revoke_device", { p_code: CODE });
  await page.reload();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
});

test("a badge outside a station opens nothing", async () => {
  await admin.page.goto("/board");
  await admin.page.getByRole("navigation", { name: "Pages" }).waitFor();
  await wedge(admin.page, badge, 5);
  await admin.page.getByText("That is a badge.").waitFor();
  expect(await admin.page.content()).not.toContain(badge);
});
