import { RpcError } from "@/lib/rpc";
import { sendFile } from "@/lib/send-file";
import type { ImportAnswer, ImportKind } from "./types";

/** What became of a file, and where its rows stand in it. */
export interface FileAnswer extends ImportAnswer {
  kind: ImportKind;
  /** The line of the file of each row. */
  lines: number[];
}

/**
 * Sends a CSV file or workbook to be tried, or (with the `id` of the command) to be done. `kind` null: it says itself
 * what it holds. Throws RpcError.
 */
export function importFile(file: File, kind: ImportKind | null, id: string | null): Promise<FileAnswer> {
  const asked = { name: file.name, apply: String(id !== null), ...(kind && { kind }) };
  return sendFile<FileAnswer>("/api/v1/stock/import", asked, file, id);
}

/** Whether sending the same file again may help. */
export const mayRepeat = (error: unknown): boolean => error instanceof RpcError && error.canRepeat;
