import { expect, test } from "vitest";
import { firmHand } from "./once";

test("two taps of a glove are one test: the second would record empty fields as a failure", async () => {
  let time = 0;
  let answer = (_: string) => {};
  const once = firmHand(500, () => time);
  const done: string[] = [];
  const tap = (what: string) =>
    once("tap", () => {
      done.push(what);
      return new Promise<string>((resolve) => {
        answer = resolve;
      });
    });

  const first = tap("pass 3.7 V");
  expect(await tap("pass, fields empty")).toBeNull();
  time = 4000; // a slow network: the answer comes late, and the impatient tap right after it
  answer("passed");
  expect(await first).toBe("passed");
  time = 4200;
  expect(await tap("pass, fields empty")).toBeNull();
  time = 4600;
  const later = tap("tested once more");
  answer("passed again");
  expect(await later).toBe("passed again");
  expect(done).toEqual(["pass 3.7 V", "tested once more"]);
});

test("a button and its code are two hands; a step that failed may be tried again", async () => {
  let time = 0;
  const once = firmHand(500, () => time);
  expect(await once("tap", async () => "packed")).toBe("packed");
  expect(await once("TAKT-OK", async () => "in stock")).toBe("in stock");
  time = 1000;
  await expect(once("tap", () => Promise.reject(new Error("no network")))).rejects.toThrow("no network");
  time = 1600;
  expect(await once("tap", async () => "tried again")).toBe("tried again");
});
