import { Trans, useLingui } from "@lingui/react/macro";
import { formatInstant, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Dialog } from "@/ui/dialog";
import { Empty, Pending } from "@/ui/states";
import { useExplanation, useFarmZone } from "./queries";
import type { Explanation } from "./types";
import { causeName, groupName, groupTone } from "./words";

/** Why each line of an order has what it has, as the server says it. */
export function ExplanationDialog({ code, onClose }: { code: string; onClose: () => void }) {
  const { t } = useLingui();
  const lines = useExplanation(code);
  return (
    <Dialog
      open
      onClose={onClose}
      title={t`Why ${code} has what it has`}
      note={t`Parts go to critical orders first, then rush, then normal; among equals the oldest first.`}
    >
      <Pending of={lines} />
      {lines.data?.length === 0 && <Empty>{t`This order needs no parts.`}</Empty>}
      <ul className="flex flex-col divide-y divide-line">
        {lines.data?.map((line) => (
          <Line key={line.line_id} line={line} />
        ))}
      </ul>
    </Dialog>
  );
}

function Line({ line }: { line: Explanation }) {
  const { t } = useLingui();
  const zone = useFarmZone();
  const { at, change, cause } = line.why;
  const moved = change === undefined ? null : formatNumber(Math.abs(change));
  return (
    <li className="flex flex-col gap-1 py-3">
      <p className="flex flex-wrap items-center gap-2">
        <span className="mr-auto font-semibold">{line.title}</span>
        <Badge tone={groupTone(line.priority)}>{groupName(line.priority)}</Badge>
        <span className="font-semibold tabular-nums">
          {formatNumber(line.allocated + line.consumed)} / {formatNumber(line.needed)}
        </span>
      </p>
      <p>{line.said}</p>
      {line.held_by.length > 0 && (
        <p className="text-sm">
          <Trans>The nearest that have some: {line.held_by.join(", ")}</Trans>
        </p>
      )}
      {at && moved && (
        <p className="text-sm text-soft">
          {(change ?? 0) > 0 ? t`Last change: ${moved} more,` : t`Last change: ${moved} taken away,`}{" "}
          {formatInstant(at, zone)}
          {cause?.event && <>: {causeName(cause.event)}</>}
          {cause?.ref !== undefined && ` (${cause.ref})`}
        </p>
      )}
    </li>
  );
}
