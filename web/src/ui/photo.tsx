import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { Camera, Trash2 } from "lucide-react";
import { useEffect, useState } from "react";
import { explain } from "@/lib/messages";
import { PhotoUpload, type Place, photoUrl, placeAbout, type Sending } from "@/lib/photo";
import { RpcError } from "@/lib/rpc";
import { createStore, type Store, useStore } from "@/lib/store";
import { Button } from "./button";

const NONE = createStore<Sending | null>(null);

/** A photo that is being taken of something at a site; `path` for the command, once it is there. */
export const usePhoto = (about: string, site: string) => usePhotoTo(placeAbout(about, site));

/** A photo that is being taken; `start` asks the server where it goes. */
export function usePhotoTo(start: (id: string) => Promise<Place>) {
  const [upload, setUpload] = useState<PhotoUpload | null>(null);
  const sending = useStore((upload?.sending ?? NONE) as Store<Sending | null>);
  useEffect(() => () => upload?.drop(), [upload]);
  return {
    sending,
    path: sending?.path ?? null,
    isPending: sending !== null && sending.state !== "done",
    take: (file: Blob) => setUpload(new PhotoUpload(file, start)),
    retry: () => upload?.retry(),
    drop: () => setUpload(null),
  };
}

/** The place in a form where a photo is taken or chosen, seen, and given up again. */
export function PhotoInput({ photo }: { photo: ReturnType<typeof usePhoto> }) {
  const { t } = useLingui();
  const { sending } = photo;
  if (!sending)
    return (
      <label
        className="inline-flex min-h-12 cursor-pointer items-center justify-center gap-2 rounded-lg border border-edge bg-panel
          px-4 hover:bg-sunk focus-within:outline-2"
      >
        <Camera aria-hidden className="size-5" /> <Trans>Add a photo</Trans>
        <input
          type="file"
          accept="image/*"
          className="sr-only"
          onChange={(event) => {
            const file = event.target.files?.[0];
            if (file) photo.take(file);
          }}
        />
      </label>
    );
  const percent = Math.round(sending.progress * 100);
  return (
    <div className="flex items-center gap-3 rounded-xl border border-line p-3">
      {sending.preview && (
        <img src={sending.preview} alt={t`As it is sent`} className="size-20 rounded-lg object-cover" />
      )}
      <div className="min-w-0 flex-1">
        {sending.state === "sending" && (
          <>
            <p role="status">
              <Trans>Sending the photo: {percent} %</Trans>
            </p>
            <progress className="w-full" value={sending.progress} aria-label={t`Sending the photo`} />
          </>
        )}
        {sending.state === "waiting" && (
          <p role="status" className="text-warn">
            <Trans>No connection. The photo is sent as soon as there is one.</Trans>
          </p>
        )}
        {sending.state === "failed" && (
          <p role="alert" className="text-bad">
            {sending.error instanceof RpcError ? explain(sending.error) : t`This file is no picture that can be read.`}
          </p>
        )}
        {sending.state === "done" && (
          <p role="status" className="text-ok">
            <Trans>The photo is there.</Trans>
          </p>
        )}
        {(sending.state === "waiting" || sending.state === "failed") && (
          <Button look="quiet" onClick={photo.retry}>
            <Trans>Try again</Trans>
          </Button>
        )}
      </div>
      <Button look="quiet" aria-label={t`Leave the photo out`} onClick={photo.drop}>
        <Trash2 aria-hidden className="size-5" />
      </Button>
    </div>
  );
}

/** Why a button has to wait: it names this line by `id`. */
export function PhotoWait({ photo, id }: { photo: ReturnType<typeof usePhoto>; id: string }) {
  if (!photo.isPending) return null;
  return (
    <p id={id} className="text-sm text-soft">
      <Trans>It can be kept when the photo is there, or left out.</Trans>
    </p>
  );
}

/** A photo that is loaded when somebody wants to see it. */
export function PhotoOnDemand({ path, alt }: { path: string; alt: string }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <div>
      <Button aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <Camera aria-hidden className="size-5" />{" "}
        {isOpen ? <Trans>Hide the photo</Trans> : <Trans>Show the photo</Trans>}
      </Button>
      {isOpen && <Photo path={path} alt={alt} />}
    </div>
  );
}

/** A photo that is kept, by its path in the bucket; only for those who may see it. */
export function Photo({ path, alt, bucket = "photos" }: { path: string; alt: string; bucket?: string }) {
  const [isGone, setGone] = useState(false); // its row was restored from a backup, its file was not
  const url = useQuery({
    queryKey: ["photo", bucket, path],
    queryFn: () => photoUrl(path, bucket),
    staleTime: 8 * 60_000,
    retry: false,
  });
  if (url.error || isGone)
    return (
      <p role="status" className="text-soft">
        <Trans>The photo cannot be shown.</Trans> {url.error && explain(url.error)}
      </p>
    );
  if (!url.data) return null;
  return (
    <a href={url.data} target="_blank" rel="noreferrer">
      <img
        src={url.data}
        alt={alt}
        className="max-h-72 w-full rounded-xl object-contain"
        onError={() => setGone(true)}
      />
    </a>
  );
}
