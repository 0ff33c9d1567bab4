import { expect, test } from "vitest";
import { ServerClock } from "./server-clock";

const at = (text: string) => Date.parse(`2026-11-22T${text}Z`);
const date = (ms: number) => new Date(ms).toUTCString();

test("a tap is timed by the server's clock: a tablet five minutes behind does not stop a machine before it ran", () => {
  let ours = at("10:00:00.000");
  const clock = new ServerClock(() => ours);
  const ahead = 5 * 60_000;
  for (const gap of [400, 1300, 900, 700]) {
    const asked = ours;
    ours += 50;
    clock.hear(asked, date(ours - 20 + ahead));
    ours += gap;
  }
  expect(Math.abs(clock.read() - (ours + ahead))).toBeLessThan(1000);
});

test("a clock that agrees with every answer is believed to the millisecond; without answers there is no other", () => {
  let ours = at("10:00:00.123");
  const clock = new ServerClock(() => ours);
  expect(clock.read()).toBe(ours);
  for (const gap of [300, 510, 900]) {
    const asked = ours;
    ours += gap;
    clock.hear(asked, date(ours - 5));
  }
  expect(clock.read()).toBe(ours);
  clock.hear(ours, null);
  expect(clock.read()).toBe(ours);
});

test("a clock that was set is measured anew", () => {
  let ours = at("10:00:00.000");
  const clock = new ServerClock(() => ours);
  clock.hear(ours, date(ours));
  ours += 3_600_000; // an hour forward, the server's stays
  clock.hear(ours, date(ours - 3_600_000));
  expect(Math.abs(clock.read() - (ours - 3_600_000))).toBeLessThan(1001);
});
