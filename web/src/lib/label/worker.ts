/// <reference lib="webworker" />
// Draws labels and reads their codes, off the main thread: the renderer is 9 MB and busy for milliseconds per label.

import { ready } from "zpl-renderer-js";
import { prepareZXingModule, readBarcodes } from "zxing-wasm/reader";
import wasm from "zxing-wasm/reader/zxing_reader.wasm?url";
import type { Drawing, DrawingAnswer, LabelCode } from "./picture";

// From our own address: the library's default is a public one.
prepareZXingModule({ overrides: { locateFile: () => wasm } });

const SYMBOLOGIES: Record<string, string> = { Code128: "code128", QRCode: "qr", DataMatrix: "datamatrix" };

/** Scanners pass bytes on; guesses about another character set than UTF-8 are not asked for. */
function textOf(bytes: Uint8Array, guessed: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return guessed;
  }
}

async function readCodes(png: string): Promise<LabelCode[]> {
  const bytes = Uint8Array.from(atob(png), (character) => character.charCodeAt(0));
  const found = await readBarcodes(bytes, { formats: ["QRCode", "Code128", "DataMatrix"] });
  return found
    .filter((code) => code.isValid)
    .map((code) => ({
      symbology: SYMBOLOGIES[code.format] ?? String(code.format),
      text: textOf(code.bytes, code.text),
    }));
}

async function answer({ n, zpl, widthMm, heightMm, dpmm, read }: Drawing): Promise<DrawingAnswer> {
  try {
    const { api } = await ready;
    const pictures = await api.zplToBase64MultipleAsync(zpl, widthMm, heightMm, dpmm);
    // A payload that draws more or less than one label is read as nothing.
    const codes = read && pictures.length === 1 ? await readCodes(pictures[0] ?? "") : [];
    return { n, pictures, codes };
  } catch (error) {
    return { n, error: String((error as Error)?.message ?? error) };
  }
}

self.addEventListener("message", (event: MessageEvent<Drawing>) => {
  void answer(event.data).then((said) => self.postMessage(said));
});
