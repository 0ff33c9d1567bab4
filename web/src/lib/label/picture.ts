export interface LabelCode {
  /** code128, qr or datamatrix, as templates call them. */
  symbology: string;
  text: string;
}

export interface Drawing {
  n: number;
  zpl: string;
  widthMm: number;
  heightMm: number;
  /** Dots per mm: 8, 12 or 24. */
  dpmm: number;
  /** Also read the codes back. */
  read: boolean;
}
export type DrawingAnswer = { n: number } & ({ pictures: string[]; codes: LabelCode[] } | { error: string });

/** Dots per mm: those of the head, and those that the renderer counts. */
const HEADS: Record<number, [number, number]> = { 203: [8, 8], 300: [300 / 25.4, 12], 600: [600 / 25.4, 24] };
const headOf = (dpi: number): [number, number] => HEADS[dpi] ?? [8, 8];

/** A length that the renderer, which rounds up, draws as the whole dots that the head has. */
function drawn(mm: number, dpi: number): number {
  const [dots, counted] = headOf(dpi);
  return (Math.floor(Number((mm * dots).toFixed(6))) - 0.01) / counted;
}

export interface LabelShape {
  zpl: string;
  widthMm: number;
  heightMm: number;
  /** 203, 300 or 600. */
  dpi: number;
}

let worker: Worker | null = null;
let count = 0;
const waiting = new Map<number, { done: (answer: DrawingAnswer) => void; failed: (error: Error) => void }>();

function start(): Worker {
  const made = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "label" });
  made.addEventListener("message", (event: MessageEvent<DrawingAnswer>) => {
    waiting.get(event.data.n)?.done(event.data);
    waiting.delete(event.data.n);
  });
  made.addEventListener("error", () => {
    made.terminate();
    worker = null;
    for (const one of waiting.values()) one.failed(new Error("The label could not be drawn here."));
    waiting.clear();
  });
  return made;
}

/** Draws a ZPL payload. Answers PNGs (base64, one per label) and, with `read`, the codes of a single label. */
export async function drawLabel(
  { zpl, widthMm, heightMm, dpi }: LabelShape,
  read = false,
): Promise<{ pictures: string[]; codes: LabelCode[] }> {
  worker ??= start();
  count += 1;
  const size = { widthMm: drawn(widthMm, dpi), heightMm: drawn(heightMm, dpi), dpmm: headOf(dpi)[1] };
  const drawing: Drawing = { n: count, zpl, ...size, read };
  const answer = await new Promise<DrawingAnswer>((done, failed) => {
    waiting.set(drawing.n, { done, failed });
    worker?.postMessage(drawing);
  });
  if ("error" in answer) throw new Error(answer.error);
  return answer;
}
