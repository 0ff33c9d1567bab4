import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { useStaff } from "@/features/core/queries";
import { session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";
import { maintain } from "./act";
import {
  CloseDialog,
  CompleteDialog,
  DismissDialog,
  ReopenDialog,
  UpdateDialog,
  VerifyDialog,
  WaitDialog,
} from "./repair-forms";
import type { RepairChange, RepairDetail } from "./types";
import { repairState } from "./words";

const FORMS = {
  wait: WaitDialog,
  complete: CompleteDialog,
  verify: VerifyDialog,
  close: CloseDialog,
  reopen: ReopenDialog,
  dismiss: DismissDialog,
  update: UpdateDialog,
};
type Form = keyof typeof FORMS;

/** What this person may do with the repair now: what the server says, the next step first. */
export function RepairActions({ of }: { of: RepairDetail }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const staff = useStaff();
  const [form, setForm] = useState<Form | null>(null);
  const may = (action: string) => of.actions.includes(action);
  const { repair } = of;
  const move = (name: "acknowledge_repair" | "start_repair") =>
    void maintain<RepairChange>(name, { p_id: repair.id } as never, (data) => repairState(data.repair.status));
  const assign = (p_assignee_id: string) =>
    void maintain<RepairChange>(
      "update_repair",
      { p_id: repair.id, p_version: repair.version, p_assignee_id } as never,
      () => t`It has an owner now.`,
    );
  const works = may("use_repair_part");
  if (of.actions.length === 0) return null;
  const steps: { action: string; label: string; form?: Form; run?: () => void }[] = [
    { action: "acknowledge_repair", label: t`I have seen it`, run: () => move("acknowledge_repair") },
    { action: "start_repair", label: t`Begin the work`, run: () => move("start_repair") },
    { action: "complete_repair", label: t`It is repaired`, form: "complete" },
    { action: "verify_repair", label: t`Try it: is it right again?`, form: "verify" },
    { action: "close_repair", label: t`Close it`, form: "close" },
    { action: "wait_repair", label: t`It has to wait`, form: "wait" },
    { action: "reopen_repair", label: t`It came back`, form: "reopen" },
    { action: "dismiss_repair", label: t`No repair is needed`, form: "dismiss" },
  ];
  const shown = steps.filter(({ action }) => may(action));
  const Dialog = form && FORMS[form];
  return (
    <Panel title={<Trans>What next?</Trans>}>
      <div className="flex flex-wrap items-end gap-2">
        {shown.map(({ action, label, form: opens, run }, index) => (
          <Button
            key={action}
            look={index === 0 ? "primary" : "plain"}
            className="min-h-14"
            onClick={() => (opens ? setForm(opens) : run?.())}
          >
            {label}
          </Button>
        ))}
        {works && (
          <>
            {who && repair.assignee_id !== who.user_id && (
              <Button className="min-h-14" onClick={() => assign(who.user_id)}>
                <Trans>I take it</Trans>
              </Button>
            )}
            <label className="flex items-center gap-2">
              <span className="text-sm text-soft">{t`Give it to`}</span>
              <select
                className="min-h-14 rounded-lg border border-edge bg-panel px-3"
                value={repair.assignee_id ?? ""}
                onChange={(event) => event.target.value && assign(event.target.value)}
              >
                <option value="">{t`nobody yet`}</option>
                {staff.data
                  ?.filter((one) => one.is_active)
                  .map((one) => (
                    <option key={one.user_id} value={one.user_id}>
                      {one.full_name}
                    </option>
                  ))}
              </select>
            </label>
            <Button className="min-h-14" onClick={() => setForm("update")}>
              <Trans>Correct it</Trans>
            </Button>
          </>
        )}
      </div>
      {Dialog && <Dialog of={of} onClose={() => setForm(null)} />}
    </Panel>
  );
}
