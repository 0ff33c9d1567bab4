/** A table of a file: cells by the name of their column, empty cells left out; `line` is that of the file, from 1. */
export interface CsvRow {
  line: number;
  cells: Record<string, string>;
}

/** Why a file cannot be read; `line` from 1. */
export class CsvError extends Error {
  override name = "CsvError";
  constructor(
    readonly problem: "quote" | "cells" | "empty",
    readonly line: number,
  ) {
    super(`${problem} in line ${line}`);
  }
}

const newlines = (text: string) => text.split("\n").length - 1;

/** The cells of every line; quotes as RFC 4180 has them. Throws CsvError. */
function split(text: string, separator: string): { line: number; cells: string[] }[] {
  const token = new RegExp(` *"((?:[^"]|"")*)"[^${separator}\n]*|([^${separator}\n]*)`, "y");
  const records: { line: number; cells: string[] }[] = [];
  let line = 1;
  let record = { line, cells: [] as string[] };
  for (let at = 0; at < text.length; at++) {
    token.lastIndex = at;
    const [whole = "", quoted, bare = ""] = token.exec(text) ?? [];
    if (quoted === undefined && bare.trimStart().startsWith('"')) throw new CsvError("quote", line);
    record.cells.push((quoted?.replaceAll('""', '"') ?? bare).trim());
    line += newlines(whole);
    at += whole.length; // at what ends the cell
    if (text[at] === separator && at < text.length - 1) continue;
    records.push(record);
    line += 1;
    record = { line, cells: [] };
  }
  return records;
}

const count = (text: string, sign: string) => text.split(sign).length;

/**
 * The rows of a CSV file whose first line names the columns, separated by comma, semicolon or tab, whichever the first
 * line has most of. Lines without any cell are left out. Throws CsvError.
 */
export function readCsv(text: string): CsvRow[] {
  const plain = text
    .replace(/^\uFEFF/, "")
    .replaceAll("\r\n", "\n")
    .replaceAll("\r", "\n");
  const first = plain.split("\n", 1)[0] ?? "";
  const separator = [",", ";", "\t"].reduce((best, sign) => (count(first, sign) > count(first, best) ? sign : best));
  const [head, ...rest] = split(plain, separator);
  const rows = rest.filter(({ cells }) => cells.some((cell) => cell !== ""));
  if (!head || rows.length === 0) throw new CsvError("empty", 1);
  return rows.map(({ line, cells }) => {
    if (cells.length > head.cells.length) throw new CsvError("cells", line);
    const named = cells.map((cell, at) => [head.cells[at] ?? "", cell] as const);
    return { line, cells: Object.fromEntries(named.filter(([, cell]) => cell !== "")) };
  });
}

/** The text of a file: UTF-8, or what spreadsheets on Windows write when it is not. */
export async function readText(file: Blob): Promise<string> {
  const bytes = await file.arrayBuffer();
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}
