import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, type ReactNode, useState } from "react";
import type { RpcName } from "@/lib/rpc";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, Switch, TextArea } from "@/ui/field";
import { maintain } from "./act";
import type { RepairChange, RepairDetail } from "./types";
import { PRIORITY_CODES, repairState, urgencyName, WAITS_FOR, waitName } from "./words";

interface Props {
  of: RepairDetail;
  onClose: () => void;
}

/** A dialog that gives one command on a repair. `given` reads the form; null leaves a field as it is. */
function CommandDialog(
  props: Props & {
    name: RpcName;
    title: string;
    note?: string;
    label: ReactNode;
    look?: "primary" | "danger";
    given: (text: (field: string) => string | null) => object;
    children?: ReactNode;
  },
) {
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (field: string) => String(form.get(field) ?? "").trim() || null;
    const done = await maintain<RepairChange>(
      props.name,
      { p_id: props.of.repair.id, ...props.given(text) } as never,
      ({ repair }) => repairState(repair.status),
    );
    if (done) props.onClose();
  }
  return (
    <Dialog open onClose={props.onClose} title={props.title} note={props.note}>
      <form onSubmit={send} className="flex flex-col gap-3">
        {props.children}
        <Button look={props.look ?? "primary"} type="submit" className="min-h-14">
          {props.label}
        </Button>
      </form>
    </Dialog>
  );
}

export function WaitDialog(props: Props) {
  const { t } = useLingui();
  return (
    <CommandDialog
      {...props}
      name="wait_repair"
      title={t`It has to wait`}
      label={<Trans>It waits</Trans>}
      given={(text) => ({ p_waits_for: text("for"), p_note: text("note") })}
    >
      <Select label={t`For what?`} name="for" defaultValue={props.of.repair.waits_for ?? "parts"}>
        {WAITS_FOR.map((code) => (
          <option key={code} value={code}>
            {waitName(code)}
          </option>
        ))}
      </Select>
      <TextArea label={t`Note, if any`} name="note" maxLength={2000} />
    </CommandDialog>
  );
}

export function CompleteDialog(props: Props) {
  const { t } = useLingui();
  const { repair } = props.of;
  return (
    <CommandDialog
      {...props}
      name="complete_repair"
      title={t`It is repaired`}
      note={t`Somebody tries it afterwards and says whether it is right again.`}
      label={<Trans>Repaired</Trans>}
      given={(text) => ({
        p_actions_taken: text("done"),
        p_cause: text("cause"),
        p_performed_by: text("by"),
        p_cost: text("cost") === null ? null : Number(text("cost")),
      })}
    >
      <TextArea
        label={t`What was done`}
        name="done"
        maxLength={4000}
        required
        defaultValue={repair.actions_taken ?? ""}
      />
      <Input label={t`Cause`} name="cause" maxLength={2000} defaultValue={repair.cause ?? ""} />
      <Input
        label={t`Who did it, if somebody else`}
        name="by"
        maxLength={300}
        defaultValue={repair.performed_by ?? ""}
      />
      <Input
        label={t`Cost without parts from stock`}
        name="cost"
        type="number"
        min={0}
        step="0.01"
        inputMode="decimal"
      />
    </CommandDialog>
  );
}

export function VerifyDialog(props: Props) {
  const { t } = useLingui();
  const [isOk, setOk] = useState(true);
  return (
    <CommandDialog
      {...props}
      name="verify_repair"
      title={t`Is it right again?`}
      look={isOk ? "primary" : "danger"}
      label={isOk ? <Trans>Yes, it is right</Trans> : <Trans>No, back to the repair</Trans>}
      given={(text) => ({ p_is_ok: isOk, p_note: text("note") })}
    >
      <Switch label={t`It is right again`} checked={isOk} onChange={(event) => setOk(event.target.checked)} />
      <TextArea label={isOk ? t`Note, if any` : t`What is still wrong`} name="note" maxLength={2000} required={!isOk} />
    </CommandDialog>
  );
}

export function CloseDialog(props: Props) {
  const { t } = useLingui();
  const [runs, setRuns] = useState(true);
  return (
    <CommandDialog
      {...props}
      name="close_repair"
      title={t`Close the repair`}
      note={t`Its stop ends with it, unless the machine still stands for another reason.`}
      label={<Trans>Close it</Trans>}
      given={() => ({ p_runs_again: runs })}
    >
      <Switch label={t`The machine runs again`} checked={runs} onChange={(event) => setRuns(event.target.checked)} />
    </CommandDialog>
  );
}

export function ReopenDialog(props: Props) {
  const { t } = useLingui();
  return (
    <CommandDialog
      {...props}
      name="reopen_repair"
      title={t`It came back`}
      note={t`It is the same failure: it counts once.`}
      look="danger"
      label={<Trans>Open it again</Trans>}
      given={(text) => ({ p_reason: text("reason") })}
    >
      <TextArea label={t`What happens again`} name="reason" maxLength={2000} required />
    </CommandDialog>
  );
}

export function DismissDialog(props: Props) {
  const { t } = useLingui();
  const [as, setAs] = useState("rejected");
  return (
    <CommandDialog
      {...props}
      name="dismiss_repair"
      title={t`No repair is needed`}
      look="danger"
      label={<Trans>Put it aside</Trans>}
      given={(text) => ({
        p_as: as,
        p_reason: text("reason"),
        p_duplicate_of: as === "duplicate" ? Number(text("of")) : null,
      })}
    >
      <Select label={t`Why`} value={as} onChange={(event) => setAs(event.target.value)}>
        <option value="rejected">{t`Nothing is wrong`}</option>
        <option value="duplicate">{t`There is a repair for it already`}</option>
        <option value="cancelled">{t`It is not done any more`}</option>
      </Select>
      {as === "duplicate" && <Input label={t`Number of that repair`} name="of" type="number" min={1} required />}
      <TextArea label={t`In words`} name="reason" maxLength={2000} required />
    </CommandDialog>
  );
}

export function UpdateDialog(props: Props) {
  const { t } = useLingui();
  const { repair } = props.of;
  const [isDown, setDown] = useState(repair.is_down);
  return (
    <CommandDialog
      {...props}
      name="update_repair"
      title={t`Correct the repair`}
      label={<Trans>Save</Trans>}
      given={(text) => ({
        p_version: repair.version,
        p_description: text("words"),
        p_priority: text("priority"),
        p_is_down: isDown,
        p_cause: text("cause"),
      })}
    >
      <TextArea label={t`What is wrong`} name="words" maxLength={4000} defaultValue={repair.description ?? ""} />
      <Select label={t`Urgency`} name="priority" defaultValue={repair.priority}>
        {PRIORITY_CODES.map((code) => (
          <option key={code} value={code}>
            {urgencyName(code)}
          </option>
        ))}
      </Select>
      <Switch label={t`The machine cannot run`} checked={isDown} onChange={(event) => setDown(event.target.checked)} />
      <Input label={t`Cause`} name="cause" maxLength={2000} defaultValue={repair.cause ?? ""} />
    </CommandDialog>
  );
}
