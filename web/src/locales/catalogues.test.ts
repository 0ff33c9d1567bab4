import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

interface Entry {
  id: string;
  text: string;
}

/** The messages of a PO file. */
function entries(file: string): Entry[] {
  const blocks = readFileSync(join(import.meta.dirname, file), "utf8").split(/\n\n/).slice(1);
  const part = (block: string, key: string) => {
    const found = new RegExp(`^${key} ((?:".*"\\n?)+)`, "m").exec(block)?.[1] ?? "";
    return found.split("\n").filter(Boolean).map((line) => JSON.parse(line) as string).join("");
  };
  return blocks.filter((block) => /^msgid/m.test(block)).map((block) => ({ id: part(block, "msgid"), text: part(block, "msgstr") }));
}
/** {0}, {name, plural …} and <0>: the parts that a translation must keep. A plural's own sentences are not. */
const holes = (text: string) => {
  const hole = / (?:plural|select|selectordinal),/.test(text)
    ? /(?<!\b(?:one|two|few|many|other) )\{(\w+)[,}]|<\/?(\d+)\/?>/g
    : /\{(\w+)[,}]|<\/?(\d+)\/?>/g;
  return [...text.matchAll(hole)].map((m) => m[1] ?? m[0]).sort();
};

const files = (readdirSync(import.meta.dirname, { recursive: true }) as string[]).filter((name) => name.endsWith(".po"));
const english = (file: string) => entries(join(dirname(file), "en.po")).map((entry) => entry.id);

test("there are catalogues", () => {
  expect(files.length).toBeGreaterThanOrEqual(6);
  expect(english("en.po").length).toBeGreaterThan(200);
});

test.for(files)("%s is complete", (file) => {
  const list = entries(file);
  expect(list.map((entry) => entry.id).sort()).toEqual(english(file).sort());
  expect(list.filter((entry) => entry.text === "").map((entry) => entry.id)).toEqual([]);
  for (const { id, text } of list) expect(new Set(holes(text)), id).toEqual(new Set(holes(id)));
});
