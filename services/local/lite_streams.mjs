// Loaded before lite: before Node 22 a file's web stream yields ArrayBuffers, which an HTTP answer
// refuses, so every download was empty. This stream yields bytes, and closes its file at the end.
import { open } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Readable } from "node:stream";

const handle = await open(fileURLToPath(import.meta.url));
Object.getPrototypeOf(handle).readableWebStream = function () {
  return Readable.toWeb(this.createReadStream());
};
await handle.close();
