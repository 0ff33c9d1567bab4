import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useState } from "react";
import { LiveBanner } from "@/features/core/live-banner";
import { usePlant } from "@/features/core/queries";
import { useSite, useSiteZone } from "@/features/production/queries";
import { useNow } from "@/features/workflows/badges";
import { useWakeLock } from "@/features/workflows/monitor";
import { formatTime } from "@/lib/time";
import { Pending } from "@/ui/states";
import { useAndon, useFilter } from "./queries";
import { WallTile } from "./tile";

/** How many columns make `count` tiles about half as high as wide in a window of this shape. */
export function columnsFor(count: number, width: number, height: number): number {
  return Math.max(1, Math.min(count, Math.round(Math.sqrt((count * width) / (height * 1.9)))));
}

function useWindow(): [number, number] {
  const [size, setSize] = useState<[number, number]>([window.innerWidth, window.innerHeight]);
  useEffect(() => {
    const read = () => setSize([window.innerWidth, window.innerHeight]);
    window.addEventListener("resize", read);
    return () => window.removeEventListener("resize", read);
  }, []);
  return size;
}

/** The andon wall: every machine, what it does and since when, readable from across the hall; no controls. */
export function AndonWall() {
  const { t } = useLingui();
  const site = useSite();
  const zone = useSiteZone();
  const plant = usePlant();
  const [{ line }] = useFilter();
  const andon = useAndon({ site, line });
  const now = useNow(1000);
  const [width, height] = useWindow();
  useWakeLock();
  const machines = andon.data ?? [];
  const columns = columnsFor(machines.length, width, height);
  // A still picture burns into a screen: it moves by a few pixels every minute.
  const shift = Math.floor(now / 60_000) % 4;
  return (
    <main className="flex h-dvh flex-col gap-3 overflow-hidden p-3" style={{ paddingLeft: 12 + shift }}>
      <LiveBanner />
      <header className="flex items-baseline gap-4">
        <h1 className="truncate text-[3vmin] font-bold">
          {plant.data?.sites.find((one) => one.code === site)?.name ?? t`Machines`}
        </h1>
        <p className="ml-auto text-[5vmin] leading-none font-bold">{formatTime(now, zone)}</p>
      </header>
      <Pending of={andon} />
      {andon.data && machines.length === 0 && (
        <p className="text-3xl text-soft">
          <Trans>There are no machines yet.</Trans>
        </p>
      )}
      <ul
        aria-label={t`Machines`}
        className="grid min-h-0 flex-1 auto-rows-fr gap-[1vmin]"
        style={{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` }}
      >
        {machines.map((one) => (
          <WallTile key={one.machine} of={one} />
        ))}
      </ul>
    </main>
  );
}
