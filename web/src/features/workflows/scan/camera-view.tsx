import { useLingui } from "@lingui/react/macro";
import { useEffect, useRef, useState } from "react";
import { watchCamera } from "@/lib/scan/camera";
import { Button } from "@/ui/button";
import { submitScan } from "./state";

/** The rear camera, reading on and on. */
export default function CameraView() {
  const { t } = useLingui();
  const video = useRef<HTMLVideoElement>(null);
  const [round, setRound] = useState(0);
  const [problem, setProblem] = useState<string | null>(null);
  const why: Record<string, string> = {
    NotAllowedError: t`The browser may not use the camera. Allow it in the address bar, then try again.`,
    NotFoundError: t`This device has no camera. Type the code instead.`,
  };
  const explain = useRef(why);
  explain.current = why;
  const other = useRef("");
  other.current = t`The camera does not start. Type the code instead.`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round starts the camera again
  useEffect(() => {
    const stop = new AbortController();
    setProblem(null);
    if (!navigator.mediaDevices) setProblem(other.current);
    else if (video.current) {
      watchCamera(video.current, submitScan, stop.signal).catch((error: unknown) => {
        const name = error instanceof DOMException ? error.name : "";
        setProblem(explain.current[name] ?? other.current);
      });
    }
    return () => stop.abort();
  }, [round]);
  return (
    <div className="flex flex-col gap-2">
      <video
        ref={video}
        muted
        playsInline
        className="aspect-video w-full rounded-xl bg-black object-cover"
        aria-label={t`Camera`}
      />
      {problem && (
        <p role="alert" className="text-bad">
          {problem}
        </p>
      )}
      {problem && <Button onClick={() => setRound((old) => old + 1)}>{t`Try again`}</Button>}
    </div>
  );
}
