import { Trans } from "@lingui/react/macro";
import { RefreshCw } from "lucide-react";
import { newVersion, reloadNew } from "@/lib/shell-worker";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";

/** Offers the newer build; when to reload is up to the person. */
export function NewVersion() {
  if (!useStore(newVersion)) return null;
  return (
    <div
      role="status"
      className="no-print flex flex-wrap items-center justify-center gap-x-4 gap-y-1 bg-info-bg px-3 py-1 text-info"
    >
      <span className="font-medium">
        <Trans>A new version is ready.</Trans>
      </span>
      <Button onClick={() => void reloadNew()}>
        <RefreshCw aria-hidden className="size-5" /> <Trans>Reload</Trans>
      </Button>
    </div>
  );
}
