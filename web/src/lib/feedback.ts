import { createStore, rememberedStore } from "./store";

/** How something went, for ears and the edge of the eye; the words stand on the screen as well. */
export type Tone = "read" | "ok" | "ask" | "bad";

export const soundOn = rememberedStore("takt.sound", true);
/** The colour that runs around the screen; `n` makes each one new. */
export const flash = createStore<{ tone: Tone; n: number } | null>(null);

// [frequency Hz, start s, length s]
const NOTES: Record<Tone, [number, number, number][]> = {
  read: [[1400, 0, 0.03]],
  ok: [
    [880, 0, 0.08],
    [1320, 0.09, 0.12],
  ],
  ask: [
    [660, 0, 0.12],
    [660, 0.18, 0.12],
  ],
  bad: [
    [220, 0, 0.18],
    [160, 0.2, 0.3],
  ],
};
const BUZZ: Record<Tone, number[]> = { read: [], ok: [40], ask: [40, 60, 40], bad: [200, 80, 200] };

let audio: AudioContext | undefined;

function play(tone: Tone): void {
  try {
    audio ??= new AudioContext();
    if (audio.state === "suspended") void audio.resume();
    for (const [frequency, start, length] of NOTES[tone]) {
      const oscillator = audio.createOscillator();
      const volume = audio.createGain();
      oscillator.type = tone === "bad" ? "square" : "sine";
      oscillator.frequency.value = frequency;
      const at = audio.currentTime + start;
      volume.gain.setValueAtTime(0.15, at);
      volume.gain.exponentialRampToValueAtTime(0.001, at + length);
      oscillator.connect(volume).connect(audio.destination);
      oscillator.start(at);
      oscillator.stop(at + length);
    }
  } catch {
    // No sound on this machine; colour and words remain.
  }
}

export function signal(tone: Tone): void {
  if (soundOn.get()) play(tone);
  if (tone === "read") return;
  navigator.vibrate?.(BUZZ[tone]);
  flash.set((old) => ({ tone, n: (old?.n ?? 0) + 1 }));
}
