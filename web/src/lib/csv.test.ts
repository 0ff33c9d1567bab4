import { expect, test } from "vitest";
import { CsvError, readCsv, readText } from "./csv";

const cells = (text: string) => readCsv(text).map((row) => row.cells);
const refusal = (text: string) => {
  try {
    return readCsv(text);
  } catch (error) {
    return error instanceof CsvError ? [error.problem, error.line] : error;
  }
};

test.for([
  ["commas", "sku,title\nA,One\n"],
  ["semicolons", "sku;title\nA;One"],
  ["tabs", "sku\ttitle\r\nA\tOne\r\n"],
  ["old Macs", "sku,title\rA,One\r"],
  ["a byte order mark", "\uFEFFsku,title\nA,One"],
  ["spaces around", " sku , title \n A , One \n"],
])("a table with %s", ([, text]) => {
  expect(cells(text ?? "")).toEqual([{ sku: "A", title: "One" }]);
});

test("quotes hold separators, lines and quotes; lines keep their numbers", () => {
  const text = 'sku,title\nA,"One, ""the"" first\nof all"\n\n,,\nB,Two\n';
  expect(readCsv(text.replace(",,\n", ",\n"))).toEqual([
    { line: 2, cells: { sku: "A", title: 'One, "the" first\nof all' } },
    { line: 6, cells: { sku: "B", title: "Two" } },
  ]);
});

test("empty cells are left out, and so are cells that a line does not have", () => {
  expect(cells("sku,title,uom\nA,,kg\nB")).toEqual([{ sku: "A", uom: "kg" }, { sku: "B" }]);
});

test("what cannot be read says where", () => {
  expect(refusal("sku,title\nA,One,more\n")).toEqual(["cells", 2]);
  expect(refusal('sku,title\nA,One\nB,"Two')).toEqual(["quote", 3]);
  expect(refusal("")).toEqual(["empty", 1]);
  expect(refusal("sku,title\n")).toEqual(["empty", 1]);
});

test("a file is UTF-8, or what spreadsheets write on Windows", async () => {
  expect(await readText(new Blob(["Schöner Kuchen"]))).toBe("Schöner Kuchen");
  expect(await readText(new Blob([new Uint8Array([0x53, 0xf6, 0xdf])]))).toBe("Söß");
});
