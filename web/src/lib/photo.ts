import { newRequestId } from "./commands";
import { RpcError, rpc, toRpcError } from "./rpc";
import { createStore } from "./store";
import { db } from "./supabase";

const LONG_SIDE = 1600;
const QUALITY = 0.8;
const AGAIN_MS = 4000;
const ANSWER_MS = 20_000;
const SLOWEST = 5; // bytes in a millisecond

/** Where a photo goes; the server makes the path. */
export interface Place {
  bucket: string;
  path: string;
}

/** A photo on its way to the server. waiting: no network, it goes by itself; failed: somebody has to do something. */
export interface Sending {
  state: "sending" | "waiting" | "failed" | "done";
  /** 0 to 1. */
  progress: number;
  /** What a command takes once the state is done. */
  path: string | null;
  error: unknown;
  /** For an <img> right away; null while the photo is being made small. */
  preview: string | null;
}

/** The sides of a picture of `width` × `height` that is not longer than LONG_SIDE. */
export function smaller(width: number, height: number): [number, number] {
  const scale = Math.min(1, LONG_SIDE / Math.max(width, height, 1));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

/** The photo as a small JPEG, upright, without what the camera wrote about place and owner. Throws when it is no picture. */
async function shrink(file: Blob): Promise<Blob> {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = smaller(bitmap.width, bitmap.height);
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const made = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
  if (!made) throw new Error("no picture");
  return made;
}

/** What Storage answered, as everything else that fails; null when the photo is there. */
export function storageError(status: number, text: string): RpcError | null {
  if (status >= 200 && status < 300) return null;
  let said: { statusCode?: string; error?: string; message?: string } = {};
  try {
    said = JSON.parse(text) as typeof said;
  } catch {
    // A proxy's page says nothing.
  }
  const meant = Number(said.statusCode) || status;
  if (meant === 409 || said.error === "Duplicate") return null; // sent before, only the answer was lost
  if (meant === 403) return toRpcError({ message: said.message ?? "", code: "PT403", hint: "photo.unknown" }, 403);
  return toRpcError({ message: said.message ?? "" }, meant);
}

/** Uploads with its progress: fetch cannot tell. Throws RpcError. */
async function put(place: Place, photo: Blob, onProgress: (part: number) => void, signal: AbortSignal): Promise<void> {
  const headers = await db().headers({ "content-type": "image/jpeg" });
  const request = new XMLHttpRequest();
  request.open("POST", `${db().url}/storage/v1/object/${place.bucket}/${place.path}`);
  headers.forEach((value, name) => {
    request.setRequestHeader(name, value);
  });
  request.timeout = ANSWER_MS + photo.size / SLOWEST;
  request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
  const stop = () => request.abort();
  signal.addEventListener("abort", stop);
  try {
    await new Promise<void>((done) => {
      request.onloadend = () => done();
      request.send(photo);
    });
  } finally {
    signal.removeEventListener("abort", stop);
  }
  const error = storageError(request.status, request.responseText);
  if (error) throw error;
}

/** A place for a photo about something at a site. */
export const placeAbout =
  (p_about: string, p_site: string) =>
  (p_request_id: string): Promise<Place> =>
    rpc<Place>("start_photo", { p_about, p_site, p_request_id });

/**
 * A photo: made small, sent, and sent again for as long as there is no network. The server
 * makes the path, once; a repeat replaces nothing.
 */
export class PhotoUpload {
  readonly sending = createStore<Sending>({
    state: "sending",
    progress: 0,
    path: null,
    error: null,
    preview: null,
  });
  readonly #id = newRequestId();
  readonly #end = new AbortController();
  #small: Blob | null = null;
  #place: Place | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = false;

  constructor(
    private readonly file: Blob,
    /** Asks the server for the place; called again with the same id until it answers. */
    private readonly start: (id: string) => Promise<Place>,
  ) {
    window.addEventListener("online", this.retry, { signal: this.#end.signal });
    this.retry();
  }

  /** Sends it now, unless it is on its way or there. */
  retry = (): void => {
    if (this.#running || this.#end.signal.aborted || this.sending.get().state === "done") return;
    clearTimeout(this.#timer);
    this.#running = true;
    this.#show({ state: "sending", progress: 0, error: null });
    void this.#send()
      .then((path) => this.#show({ state: "done", progress: 1, path }))
      .catch((error: unknown) => this.#later(error))
      .finally(() => {
        this.#running = false;
      });
  };

  /** Nobody wants it any more. */
  drop(): void {
    this.#end.abort();
    clearTimeout(this.#timer);
    const { preview } = this.sending.get();
    if (preview) URL.revokeObjectURL(preview);
  }

  async #send(): Promise<string> {
    this.#small ??= await shrink(this.file);
    if (this.#end.signal.aborted) throw new Error("dropped");
    if (!this.sending.get().preview) this.#show({ preview: URL.createObjectURL(this.#small) });
    this.#place ??= await this.start(this.#id);
    await put(this.#place, this.#small, (progress) => this.#show({ progress }), this.#end.signal);
    return this.#place.path;
  }

  #later(error: unknown): void {
    if (this.#end.signal.aborted) return;
    const waits = error instanceof TypeError || (error instanceof RpcError && error.canRepeat);
    this.#show({ state: waits ? "waiting" : "failed", error });
    if (waits) this.#timer = setTimeout(this.retry, AGAIN_MS);
  }

  #show(fields: Partial<Sending>): void {
    if (!this.#end.signal.aborted) this.sending.set((old) => ({ ...old, ...fields }));
  }
}

/** An address that shows the photo for ten minutes to whoever may see it. Throws RpcError. */
export async function photoUrl(path: string, bucket = "photos"): Promise<string> {
  const headers = await db().headers({ "content-type": "application/json" });
  const answer = await fetch(`${db().url}/storage/v1/object/sign/${bucket}/${path}`, {
    method: "POST",
    headers,
    body: JSON.stringify({ expiresIn: 600 }),
    signal: AbortSignal.timeout(ANSWER_MS),
  }).catch(() => null);
  if (!answer) throw toRpcError({}, 0);
  if (!answer.ok) throw storageError(answer.status, await answer.text()) ?? toRpcError({}, answer.status);
  const { signedURL } = (await answer.json()) as { signedURL: string };
  return `${db().url}/storage/v1${signedURL}`;
}
