import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { formatInstant } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button, LinkButton } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { PhotoInput, PhotoWait, usePhoto } from "@/ui/photo";
import { Empty, Pending } from "@/ui/states";
import { farm, undoRun } from "./act";
import { type Counted, GoodOf, RejectReason } from "./good-of";
import { useFarmZone, useRun } from "./queries";
import type { RunChange, RunRow } from "./types";
import { fileName, outcomeName, outcomeTone, waitsName } from "./words";

/** The plate comes off: how many are good. Everything good is one tap. */
export function PlateDialog({ run, machine, onClose }: { run: number; machine: string; onClose: () => void }) {
  const { t } = useLingui();
  const row = useRun(run);
  return (
    <Dialog open onClose={onClose} title={t`Clear the plate of ${machine}`}>
      <Pending of={row} />
      {row.data === null && <Empty>{t`There is no such print.`}</Empty>}
      {row.data && <Plate row={row.data} onClose={onClose} />}
    </Dialog>
  );
}

function Plate({ row, onClose }: { row: RunRow; onClose: () => void }) {
  const { t } = useLingui();
  const zone = useFarmZone();
  const { run, lines } = row;
  const [parts, setParts] = useState<Counted[]>(() =>
    lines.map(({ sku, title, planned, qty }) => ({ sku, title, planned, good: qty })),
  );
  const [reason, setReason] = useState("");
  const photo = usePhoto("print_run", run.site);
  const isFewer = parts.some((one, n) => one.good < (lines[n]?.qty ?? 0));
  const isChanged = parts.some((one, n) => one.good !== lines[n]?.qty);
  const isOpen = run.status === "unmapped" || run.status === "review";

  async function clear() {
    const good = Object.fromEntries(parts.map((one) => [one.sku, one.good]));
    const given = {
      p_run_id: run.id,
      p_good: isChanged ? good : null,
      p_reason: isFewer ? reason.trim() || null : null,
      p_photo: photo.path,
    };
    const done = await farm<RunChange>(
      "confirm_plate",
      given as never,
      () => (isChanged ? t`The plate is clear; stock follows what was good.` : t`The plate is clear.`),
      () => (isChanged && run.outcome === "success" ? undoRun(run.id, { lines }) : undefined),
    );
    if (done) onClose();
  }

  return (
    <div className="flex flex-col gap-4">
      <div>
        <p className="flex flex-wrap items-center gap-2">
          <span className="font-semibold [overflow-wrap:anywhere]">{fileName(run.gcode_filename, run.plate)}</span>
          <Badge tone={outcomeTone(run.outcome)}>{outcomeName(run.outcome)}</Badge>
        </p>
        <p className="text-sm text-soft">{formatInstant(run.finished_at, zone)}</p>
      </div>
      {isOpen && (
        <p className="rounded-xl bg-warn-bg p-3 text-warn">
          {waitsName(run.status)}.{" "}
          <Trans>Clear the plate now and put its parts aside: they are counted when it is decided.</Trans>
        </p>
      )}
      {parts.length > 0 && <GoodOf parts={parts} onChange={setParts} />}
      {isFewer && <RejectReason value={reason} onChange={setReason} />}
      {isFewer && !reason.trim() && (
        <p id="plate-reason" className="text-sm text-soft">
          <Trans>Say first what is the matter with the others.</Trans>
        </p>
      )}
      <PhotoInput photo={photo} />
      <PhotoWait photo={photo} id="plate-photo" />
      <div className="flex flex-wrap gap-2">
        {isOpen && (
          <LinkButton to="/print-farm/$part" params={{ part: "prints" }} search={{ run: run.id }} onClick={onClose}>
            <Trans>Decide about it</Trans>
          </LinkButton>
        )}
        <Button
          look="primary"
          className="min-h-16 flex-1 text-lg"
          disabled={(isFewer && !reason.trim()) || photo.isPending}
          aria-describedby={photo.isPending ? "plate-photo" : isFewer && !reason.trim() ? "plate-reason" : undefined}
          onClick={() => void clear()}
        >
          {isChanged ? <Trans>Keep this, the plate is clear</Trans> : <Trans>The plate is clear</Trans>}
        </Button>
      </div>
    </div>
  );
}
