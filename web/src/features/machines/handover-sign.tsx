import { Trans, useLingui } from "@lingui/react/macro";
import { CircleCheck } from "lucide-react";
import type { FormEvent } from "react";
import { useStaffName } from "@/features/core/queries";
import { useSiteZone } from "@/features/production/queries";
import { percent } from "@/features/production/words";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatDay, formatInstant, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { DataRow, DataTable } from "@/ui/charts/table";
import { TextArea } from "@/ui/field";
import { Panel } from "@/ui/page";
import { order } from "./act";
import type { Handover, HandoverChange } from "./types";
import { factorName, reasonName, stateName } from "./words";

/** Signs what the shift that is on, or was last, leaves behind. */
export function SignForm({ centre }: { centre: string }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  if (!may(who, "shifts.handover")) return null;
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const element = event.currentTarget;
    const notes = String(new FormData(element).get("notes")).trim() || null;
    const done = await order<HandoverChange>(
      "shift_handover",
      { p_work_centre: centre, p_notes: notes } as never,
      ({ changed, handover }) =>
        changed
          ? t`${handover.shift} is handed over.`
          : t`This shift was handed over before; it stays as it was signed.`,
    );
    if (done) element.reset();
  }
  return (
    <Panel title={t`Hand the shift over`}>
      <form onSubmit={send} className="flex flex-col gap-3">
        <TextArea label={t`What the next shift has to know`} name="notes" maxLength={4000} />
        <p className="text-sm text-soft">
          <Trans>
            Figures, states and open repairs are added as they are now. It is signed by you, once, and not changed
            afterwards.
          </Trans>
        </p>
        <Button look="primary" type="submit" className="min-h-14 self-start">
          <Trans>Sign and hand over</Trans>
        </Button>
      </form>
    </Panel>
  );
}

/** What earlier shifts left behind; the last one is read and taken. */
export function Handovers({ list }: { list: Handover[] }) {
  const { t } = useLingui();
  return (
    <Panel title={t`Handed over`}>
      {list.length === 0 && <p className="text-soft">{t`No shift was handed over here yet.`}</p>}
      <ol className="flex flex-col gap-3">
        {list.map((one, index) => (
          <li key={one.id}>
            <details open={index === 0} className="rounded-xl border border-line p-3">
              <HandoverBody of={one} />
            </details>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function HandoverBody({ of }: { of: Handover }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const { who } = useStore(session);
  const nameOf = useStaffName();
  const take = () =>
    void order<HandoverChange>("receive_shift", { p_id: of.id } as never, () => t`You have the shift.`);
  const { snapshot } = of;
  const heads = [t`Machine`, t`State`, "OEE", factorName("availability"), t`Good`, t`Scrap`, t`Open repairs`];
  return (
    <>
      <summary className="flex min-h-12 cursor-pointer flex-wrap items-center gap-2">
        <b>
          {formatDay(of.shift_date)}, {of.shift}
        </b>
        <span className="text-soft">{t`signed by ${nameOf(of.signed_by) ?? "?"}, ${formatInstant(of.signed_at, zone)}`}</span>
        {of.received_at ? (
          <Badge tone="ok" icon={<CircleCheck aria-hidden />}>
            {t`taken by ${nameOf(of.received_by) ?? "?"}`}
          </Badge>
        ) : (
          <Badge tone="warn">{t`nobody took it yet`}</Badge>
        )}
      </summary>
      {of.notes && <p className="my-2 text-lg whitespace-pre-line">{of.notes}</p>}
      <DataTable label={t`As it was left`} heads={heads}>
        {snapshot.machines.map((one) => (
          <DataRow
            key={one.machine}
            name={<span className="font-mono">{one.machine}</span>}
            cells={[
              [stateName(one.state), one.reason && reasonName(one.reason, null)].filter(Boolean).join(": "),
              <b key="oee">{percent(one.ratios.oee)}</b>,
              percent(one.ratios.availability),
              formatNumber(one.inputs.good),
              formatNumber(one.inputs.scrap),
              one.open_repairs.length,
            ]}
          />
        ))}
      </DataTable>
      {of.received_at === null && of.signed_by !== who?.user_id && may(who, "shifts.handover") && (
        <Button look="primary" className="mt-2" onClick={take}>
          <Trans>I have read it and take the shift</Trans>
        </Button>
      )}
    </>
  );
}
