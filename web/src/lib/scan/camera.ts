/** Reads codes off a video element. */
export interface Reader {
  read(video: HTMLVideoElement): Promise<string | null>;
}

interface NativeDetector {
  detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]>;
}
interface NativeDetectorClass {
  new (options: { formats: string[] }): NativeDetector;
  getSupportedFormats(): Promise<string[]>;
}

const FORMATS = ["qr_code", "code_128", "data_matrix"];

async function nativeReader(): Promise<Reader | null> {
  const Detector = (globalThis as { BarcodeDetector?: NativeDetectorClass }).BarcodeDetector;
  if (!Detector) return null;
  const supported = await Detector.getSupportedFormats().catch(() => [] as string[]);
  if (!FORMATS.every((format) => supported.includes(format))) return null;
  const detector = new Detector({ formats: FORMATS });
  return { read: async (video) => (await detector.detect(video))[0]?.rawValue ?? null };
}

async function wasmReader(): Promise<Reader> {
  const [{ prepareZXingModule, readBarcodes }, { default: wasm }] = await Promise.all([
    import("zxing-wasm/reader"),
    import("zxing-wasm/reader/zxing_reader.wasm?url"),
  ]);
  // From our own address: the library's default is a public one, and a plant's network may reach nothing else.
  prepareZXingModule({ overrides: { locateFile: () => wasm } });
  const canvas = document.createElement("canvas");
  const paper = canvas.getContext("2d", { willReadFrequently: true });
  return {
    async read(video) {
      if (!paper || video.videoWidth === 0) return null;
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      paper.drawImage(video, 0, 0);
      const found = await readBarcodes(paper.getImageData(0, 0, canvas.width, canvas.height), {
        formats: ["QRCode", "Code128", "DataMatrix"],
        maxNumberOfSymbols: 1,
      });
      return found.find((code) => code.isValid)?.text ?? null;
    },
  };
}

export async function cameraReader(): Promise<Reader> {
  return (await nativeReader()) ?? (await wasmReader());
}

/**
 * Shows the rear camera in `video` and reports codes until `signal` aborts. A code that stays in view counts once; it
 * counts again after it was away for `blankMs`. Throws DOMException when there is no camera or no permission.
 */
export async function watchCamera(
  video: HTMLVideoElement,
  onCode: (code: string) => void,
  signal: AbortSignal,
  blankMs = 1500,
): Promise<void> {
  const stream = await navigator.mediaDevices.getUserMedia({
    video: { facingMode: { ideal: "environment" }, width: { ideal: 1920 }, height: { ideal: 1080 } },
  });
  const stop = () => {
    for (const track of stream.getTracks()) track.stop();
  };
  if (signal.aborted) return stop();
  signal.addEventListener("abort", stop);
  video.srcObject = stream;
  await video.play();
  const reader = await cameraReader();
  let last = { code: "", at: 0 };
  const look = async () => {
    if (signal.aborted) return;
    const code = document.visibilityState === "visible" ? await reader.read(video).catch(() => null) : null;
    const now = performance.now();
    if (code) {
      if (code !== last.code || now - last.at > blankMs) onCode(code);
      last = { code, at: now };
    }
    setTimeout(look, 80);
  };
  void look();
}
