import { Trans } from "@lingui/react/macro";
import { Timer } from "lucide-react";
import { useEffect, useRef } from "react";
import { useSetting } from "@/features/settings/queries";
import { useNow } from "@/features/workflows/badges";
import { session } from "@/lib/session";
import { keepPerson, lockStation } from "@/lib/station";
import { useStore } from "@/lib/store";

const WARN_MS = 30_000;

/** At a shared station: locks it when nobody has touched it for the set time, and says so before. */
export function AutoLock() {
  const { station, who } = useStore(session);
  return station && who ? <Countdown site={station.site} /> : null;
}

function Countdown({ site }: { site: string | null }) {
  const minutes = useSetting<number>({ site: site ?? undefined }, "station.lock_minutes", 5);
  const now = useNow(1000);
  const touched = useRef(Date.now());
  const told = useRef(Date.now());
  const span = minutes * 60_000;
  useEffect(() => {
    const touch = () => {
      touched.current = Date.now();
      // The server counts from the last time it was told; a third of the time is often enough.
      if (touched.current - told.current < Math.min(span / 3, 60_000)) return;
      told.current = touched.current;
      void keepPerson();
    };
    window.addEventListener("pointerdown", touch, true);
    window.addEventListener("keydown", touch, true);
    return () => {
      window.removeEventListener("pointerdown", touch, true);
      window.removeEventListener("keydown", touch, true);
    };
  }, [span]);
  const left = touched.current + span - now;
  useEffect(() => {
    if (left <= 0) void lockStation();
  }, [left]);
  if (left > WARN_MS || left <= 0) return null;
  const seconds = Math.ceil(left / 1000);
  return (
    <p
      role="status"
      className="no-print fixed inset-x-0 top-0 z-50 flex items-center justify-center gap-2 bg-warn-bg px-3 py-2 font-medium text-warn"
    >
      <Timer aria-hidden className="size-5 shrink-0" />
      <Trans>This station locks in {seconds} s. Touch it to stay.</Trans>
    </p>
  );
}
