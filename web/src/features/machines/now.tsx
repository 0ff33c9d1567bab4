import { Trans, useLingui } from "@lingui/react/macro";
import { useSiteZone } from "@/features/production/queries";
import { formatTime } from "@/lib/time";
import { cx } from "@/ui/cx";
import { Since } from "./badges";
import { Called, TONES } from "./tile";
import type { Andon } from "./types";
import { reasonName, stateIcon, stateName, stateTone } from "./words";

/** What the machine does now, large. */
export function MachineNow({ of }: { of: Andon }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const Icon = stateIcon(of.state);
  const why = of.reason || of.reason_title ? reasonName(of.reason, of.reason_title) : null;
  return (
    <section
      aria-label={t`Now`}
      className={cx("flex flex-wrap items-center gap-x-4 gap-y-1 rounded-2xl border-4 p-4", TONES[stateTone(of.state)])}
    >
      <Icon aria-hidden className="size-14 shrink-0" />
      <p className="text-4xl font-bold">{stateName(of.state)}</p>
      <p className="text-xl text-ink">
        <Since at={of.since} /> {why && <b>· {why}</b>} {of.by_name && <span>· {of.by_name}</span>}
        <span className="block empty:hidden">
          <Called of={of} />
        </span>
      </p>
      <p className="ml-auto text-right text-ink">
        <span className="block font-mono">{of.machine}</span>
        {of.shift_ends_at ? (
          <Trans>
            {of.shift} until {formatTime(of.shift_ends_at, zone)}
          </Trans>
        ) : (
          <Trans>No shift now</Trans>
        )}
      </p>
    </section>
  );
}
