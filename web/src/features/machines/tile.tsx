import { Plural, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { Wrench } from "lucide-react";
import { percent } from "@/features/production/words";
import { formatNumber } from "@/lib/time";
import { cx } from "@/ui/cx";
import { Since } from "./badges";
import type { Andon } from "./types";
import { reasonName, stateIcon, stateName, stateTone } from "./words";

export const TONES = {
  ok: "border-ok bg-ok-bg text-ok",
  info: "border-info bg-info-bg text-info",
  warn: "border-warn bg-warn-bg text-warn",
  bad: "border-bad bg-bad-bg text-bad",
  plain: "border-edge bg-sunk text-ink",
  accent: "border-accent bg-accent-bg text-accent",
};

/** Why it stands; that nobody has said why, where somebody should. */
function useWhy(of: Andon): string | null {
  const { t } = useLingui();
  if (of.reason || of.reason_title) return reasonName(of.reason, of.reason_title);
  return stateTone(of.state) === "bad" || of.state === "no_data" ? t`No reason given` : null;
}

/** Who was called because it stands so long, and who answered. */
export function Called({ of }: { of: Andon }) {
  const { t } = useLingui();
  if (of.answered_by_name) return <b>{t`${of.answered_by_name} is on it`}</b>;
  if (!of.called_role) return null;
  return <b>{of.called_role === "manager" ? t`Manager called` : t`Supervisor called`}</b>;
}

/** A machine on the board of all machines: what it does, since when, why, and how its shift goes. */
export function AndonTile({ of }: { of: Andon }) {
  const why = useWhy(of);
  const Icon = stateIcon(of.state);
  return (
    <Link
      to="/machine/$code"
      params={{ code: of.machine }}
      className={cx("flex h-full flex-col gap-1 rounded-2xl border-4 p-3", TONES[stateTone(of.state)])}
    >
      <span className="flex items-start gap-2 text-ink">
        <span className="min-w-0 flex-1">
          <b className="block text-lg leading-tight">{of.name}</b>
          <span className="block truncate font-mono text-sm">{of.machine}</span>
        </span>
        {of.ratios.oee !== null && (
          <span className="text-right leading-tight">
            <b className="block text-2xl">{percent(of.ratios.oee)}</b>
            <span className="text-sm">OEE</span>
          </span>
        )}
      </span>
      <span className="flex items-center gap-2 text-2xl font-bold">
        <Icon aria-hidden className="size-8 shrink-0" />
        {stateName(of.state)}
      </span>
      <span className="text-lg text-ink">
        <Since at={of.since} />
      </span>
      <span className="text-ink">
        {why && <b>{why}</b>} {of.by_name}
      </span>
      <span className="inline-flex items-center gap-1 empty:hidden">
        <Called of={of} />
      </span>
      {of.open_repairs > 0 && (
        <span className="mt-auto inline-flex items-center gap-1 text-ink">
          <Wrench aria-hidden className="size-5" />
          <Plural value={of.open_repairs} one="# open repair" other="# open repairs" />
        </span>
      )}
    </Link>
  );
}

/** The same for a wall: every size follows that of the tile. */
export function WallTile({ of }: { of: Andon }) {
  const { t } = useLingui();
  const why = useWhy(of);
  const Icon = stateIcon(of.state);
  const isCalled = of.called_role !== null || of.answered_by_name !== null;
  const repairs = of.open_repairs > 0 ? t`repairs: ${of.open_repairs}` : null;
  return (
    <li
      className={cx("min-h-0 overflow-hidden rounded-2xl border-[0.4vmin]", TONES[stateTone(of.state)])}
      style={{ containerType: "size" }}
    >
      <div className="flex h-full flex-col justify-between p-[4cqmin] leading-[1.15]">
        <div className="flex items-start gap-[3cqmin] text-ink">
          <b className="line-clamp-2 min-w-0 flex-1 text-[12cqmin] leading-[1.05]">{of.name}</b>
          {of.ratios.oee !== null && (
            <b className="text-[14cqmin] leading-none whitespace-nowrap">
              {formatNumber(Math.round(of.ratios.oee * 100))} %
            </b>
          )}
        </div>
        <p className="flex items-center gap-[3cqmin] text-[20cqmin] font-bold">
          <Icon aria-hidden className="size-[20cqmin] shrink-0" />
          <span className="truncate">{stateName(of.state)}</span>
        </p>
        <p className="truncate text-[13cqmin] text-ink">
          <Since at={of.since} />
        </p>
        {why && <p className="truncate text-[11cqmin] font-bold text-ink">{why}</p>}
        <p className="truncate text-[10cqmin] text-ink">
          {isCalled ? <Called of={of} /> : of.by_name} {repairs}
        </p>
      </div>
    </li>
  );
}
