import { describe, expect, test } from "vitest";
import { type Step, WEDGE_DEFAULTS, WedgeMachine } from "./machine";

/** Types `text` with `gap` ms between the keys, beginning at `start`; returns when the last key came. */
function type(machine: WedgeMachine, text: string, gap: number, start = 0): number {
  let time = start;
  for (const [index, character] of [...text].entries()) {
    if (index > 0) time += gap;
    machine.char(character, time);
  }
  return time;
}
function scanned(text: string, gap: number): Step {
  const machine = new WedgeMachine();
  return machine.end(type(machine, text, gap) + gap);
}

describe("a scanner", () => {
  test.for([1, 5, 20, 45])("at %d ms per key is recognised exactly", (gap) => {
    for (const code of ["#B18617", "bannos-18617-A", 'Cake 8"+candle', "  x  y", "]C1010950600013435210\x1d17"]) {
      expect(scanned(code, gap)).toEqual({ kind: "scan", code });
    }
  });

  test("1,000 codes back to back lose none", () => {
    const machine = new WedgeMachine();
    let time = 0;
    for (let n = 0; n < 1000; n++) {
      const code = `#B${10_000 + n}+${n % 7} x`;
      time = type(machine, code, 3, time + 3) + 3;
      expect(machine.end(time)).toEqual({ kind: "scan", code });
    }
  });

  test("one late key in the middle loses nothing", () => {
    const machine = new WedgeMachine();
    const half = type(machine, "#B18", 5);
    const last = type(machine, "617", 5, half + 220);
    expect(machine.end(last + 5)).toEqual({ kind: "scan", code: "#B18617" });
  });

  test("a code that lost its beginning is never guessed", () => {
    const machine = new WedgeMachine();
    const half = type(machine, "#B186", 5);
    const last = type(machine, "17-A", 5, half + 400);
    expect(machine.end(last + 5)).toEqual({ kind: "cut" });
    // Not even when it lost one key only.
    machine.char("#", last + 2000);
    expect(machine.end(type(machine, "B18617", 5, last + 2300) + 5)).toEqual({ kind: "cut" });
    // The next whole code counts again.
    expect(machine.end(type(machine, "#B18617", 5, last + 2600) + 5)).toEqual({ kind: "scan", code: "#B18617" });
  });
});

describe("a person", () => {
  test.for([60, 90, 120, 260])("at %d ms per key is typing", (gap) => {
    expect(scanned("18617", gap)).toEqual({ kind: "ignored" });
  });

  test("who types before a scan does not spoil it", () => {
    const machine = new WedgeMachine();
    const typed = type(machine, "note", 280);
    expect(machine.end(type(machine, "#B18617", 5, typed + 400) + 5)).toEqual({ kind: "scan", code: "#B18617" });
  });

  test("who presses Enter long after a burst is typing", () => {
    const machine = new WedgeMachine();
    expect(machine.end(type(machine, "abcd", 10) + 900)).toEqual({ kind: "ignored" });
  });

  test("who presses two keys fast is typing", () => {
    expect(scanned("ab", 5)).toEqual({ kind: "ignored" });
  });
});

test("the threshold is a setting", () => {
  const machine = new WedgeMachine({ ...WEDGE_DEFAULTS, keyGapMs: 90 });
  expect(machine.end(type(machine, "18617", 80) + 80)).toEqual({ kind: "scan", code: "18617" });
});
