// One warm renderer: a JSON object per line on stdin, its answer per line on stdout.
//   {"zpl", "width_mm", "height_mm", "dpmm"}  →  {"pictures": [base64 PNG, …]} or {"error": words}
// The first line says {"ready": true}, or {"missing": words} when the package is not there.
import { createInterface } from "node:readline";

console.log = console.info = console.error; // the library may talk; stdout is for answers

const words = (error) => String(error?.message ?? error).slice(0, 500);
const answer = (object) => process.stdout.write(`${JSON.stringify(object)}\n`);

let api;
try {
  ({ api } = await (await import("zpl-renderer-js")).ready);
} catch (error) {
  answer({ missing: words(error) });
  process.exit(1);
}
answer({ ready: true });

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  try {
    const { zpl, width_mm, height_mm, dpmm } = JSON.parse(line);
    answer({ pictures: await api.zplToBase64MultipleAsync(zpl, width_mm, height_mm, dpmm) });
  } catch (error) {
    answer({ error: words(error) });
  }
}
