import { Trans } from "@lingui/react/macro";
import { CloudOff, WifiOff } from "lucide-react";
import { useState, useSyncExternalStore } from "react";
import { useNow } from "@/features/workflows/badges";
import { queries } from "@/lib/query";
import { live } from "@/lib/realtime";
import { useStore } from "@/lib/store";
import { formatAge } from "@/lib/time";
import { NewVersion } from "./new-version";

const STALE_MS = 45_000;
const JOIN_MS = 8000;

function watchNetwork(changed: () => void): () => void {
  window.addEventListener("online", changed);
  window.addEventListener("offline", changed);
  return () => {
    window.removeEventListener("online", changed);
    window.removeEventListener("offline", changed);
  };
}
export const useOnline = () => useSyncExternalStore(watchNetwork, () => navigator.onLine);

/** When anything on the screen was last read, ms since 1970; 0 = never. */
function newestData(): number {
  return Math.max(
    0,
    ...queries
      .getQueryCache()
      .getAll()
      .map((query) => query.state.dataUpdatedAt),
  );
}

/** What is true of every page: that a newer client is ready, and how old the screen is when it cannot be current. */
export function LiveBanner() {
  return (
    <>
      <NewVersion />
      <Stale />
    </>
  );
}

function Stale() {
  const { joined, freshAt } = useStore(live);
  const online = useOnline();
  const now = useNow(1000);
  const [openedAt] = useState(now);
  const quiet = now - Math.max(freshAt, openedAt);
  // Joining takes a moment, also again; and a joined channel that says nothing is asked every 20 s.
  if (online && quiet < (joined ? STALE_MS : JOIN_MS)) return null;
  const Icon = online ? CloudOff : WifiOff;
  const seenAt = freshAt || newestData();
  const age = formatAge(now - seenAt);
  return (
    <p
      role="status"
      className="flex items-center justify-center gap-2 bg-warn-bg px-3 py-2 text-center font-medium text-warn"
    >
      <Icon aria-hidden className="size-5 shrink-0" />
      {online ? <Trans>No live connection to the server.</Trans> : <Trans>No network.</Trans>}
      {seenAt > 0 && (
        <span>
          <Trans>What you see is {age} old.</Trans>
        </span>
      )}
    </p>
  );
}
