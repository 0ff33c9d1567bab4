import { useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { usePlant } from "@/features/core/queries";
import { useSetting } from "@/features/settings/queries";
import { flash, signal } from "@/lib/feedback";
import { explain } from "@/lib/messages";
import { WEDGE_DEFAULTS } from "@/lib/scan/machine";
import { captureWedge } from "@/lib/scan/wedge";
import { session } from "@/lib/session";
import { unlockByBadge } from "@/lib/station";
import { useStore } from "@/lib/store";
import { toast } from "@/ui/toast";
import { cutScan, openScan, submitScan, takeBadges } from "./state";

/** Hears a keyboard scanner wherever the focus is, and the one-key shortcuts. Renders the colour at the screen's edge. */
export function ScanHost({ onHelp }: { onHelp: () => void }) {
  const { t } = useLingui();
  const navigate = useNavigate();
  const site = usePlant().data?.sites[0]?.code;
  const keyGapMs = useSetting<number>({ site }, "scan.key_gap_ms", WEDGE_DEFAULTS.keyGapMs);
  const cut = t`Only a part of the code was read. Scan again.`;
  const latest = useRef({ onHelp, cut });
  latest.current = { onHelp, cut };
  useBadges();
  useEffect(() => {
    const keys: Record<string, () => void> = {
      s: openScan,
      "/": () => document.querySelector<HTMLElement>("#search-box")?.focus(),
      b: () => void navigate({ to: "/board" }),
      q: () => void navigate({ to: "/queue" }),
      d: () => void navigate({ to: "/dashboard" }),
      "?": () => latest.current.onHelp(),
    };
    return captureWedge(
      { onScan: submitScan, onCut: () => cutScan(latest.current.cut), onKey: (key) => keys[key]?.() },
      { ...WEDGE_DEFAULTS, keyGapMs },
    );
  }, [navigate, keyGapMs]);
  return <EdgeFlash />;
}

/** A badge at a station means: now it is me. Elsewhere it opens nothing. */
function useBadges(): void {
  const { t } = useLingui();
  const { station } = useStore(session);
  const elsewhere = t`That is a badge. Badges work at shared stations.`;
  useEffect(() => {
    takeBadges(async (badge) => {
      try {
        if (!station) refuse(elsewhere);
        else await unlockByBadge(badge).then(() => signal("ok"));
        return true;
      } catch (error) {
        refuse(explain(error));
        return false;
      }
    });
  }, [station, elsewhere]);
}

function refuse(why: string): void {
  signal("bad");
  toast("bad", why);
}

const COLOURS = { read: "", ok: "text-ok", ask: "text-warn", bad: "text-bad" };

function EdgeFlash() {
  const last = useStore(flash);
  if (!last) return null;
  return <div key={last.n} aria-hidden className={`edge-flash ${COLOURS[last.tone]}`} />;
}
