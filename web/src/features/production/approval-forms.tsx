import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { instantOfWall } from "@/lib/time";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, TextArea } from "@/ui/field";
import { ask, decide } from "./approval-act";
import { useCentres, useSiteZone } from "./queries";
import { APPROVAL_TYPES } from "./search";
import type { ApprovalEntry } from "./types";
import { approvalEffect, approvalName, approvalSubject } from "./words";

/** Yes or no, and why. */
export function DecideDialog(props: { entry: ApprovalEntry; decision: "APPROVED" | "REJECTED"; onClose: () => void }) {
  const { t } = useLingui();
  const { entry, decision } = props;
  const approves = decision === "APPROVED";
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const notes = String(new FormData(event.currentTarget).get("notes")).trim() || null;
    if (await decide(entry.approval, decision, notes)) props.onClose();
  }
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={approves ? t`Approve: ${approvalSubject(entry)}` : t`Reject: ${approvalSubject(entry)}`}
      note={approves ? approvalEffect(entry) : t`Nothing changes. Who asked reads why.`}
    >
      <form onSubmit={send} className="flex flex-col gap-3">
        <TextArea
          label={approves ? t`Note, if any` : t`Why it is rejected`}
          name="notes"
          maxLength={1000}
          required={!approves}
        />
        <Button look={approves ? "primary" : "danger"} type="submit" className="min-h-14">
          {approves ? <Trans>Approve</Trans> : <Trans>Reject</Trans>}
        </Button>
      </form>
    </Dialog>
  );
}

/** Something that another person has to allow. */
export function AskDialog({ site, onClose }: { site: string | null; onClose: () => void }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const [type, setType] = useState<(typeof APPROVAL_TYPES)[number]>("OVERTIME");
  const [operation, setOperation] = useState("other");
  const isSpecial = type === "SPECIAL_OPERATION";
  const elsewhere = isSpecial && operation === "other_work_centre";
  const ofOrder = isSpecial && operation !== "other";
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim() || null;
    const at = (name: string) => {
      const wall = text(name);
      return wall === null ? null : instantOfWall(wall, zone);
    };
    const done = await ask({
      p_type: type,
      p_justification: text("why"),
      p_work_centre: text("centre"),
      p_order: text("order"),
      p_sequence: text("sequence") === null ? null : Number(text("sequence")),
      p_operation: isSpecial ? operation : null,
      p_starts_at: at("from"),
      p_ends_at: at("to"),
      p_site: site,
    });
    if (done) onClose();
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={t`Ask for something`}
      note={t`You ask, a planner or manager decides. Nobody decides about their own request.`}
    >
      <form onSubmit={send} className="flex flex-col gap-3">
        <Select label={t`What`} value={type} onChange={(event) => setType(event.target.value as typeof type)}>
          {APPROVAL_TYPES.map((one) => (
            <option key={one} value={one}>
              {approvalName(one)}
            </option>
          ))}
        </Select>
        {isSpecial && (
          <Select label={t`Which`} value={operation} onChange={(event) => setOperation(event.target.value)}>
            <option value="other">{t`Anything else, in words`}</option>
            <option value="other_work_centre">{t`A step at another work centre`}</option>
            <option value="over_capacity">{t`One order more than a work centre has places`}</option>
          </Select>
        )}
        {type === "OVERTIME" && (
          <div className="grid gap-3 sm:grid-cols-2">
            <Input label={t`From`} name="from" type="datetime-local" required />
            <Input label={t({ message: "To", context: "end of a time" })} name="to" type="datetime-local" required />
          </div>
        )}
        {isSpecial && (
          <div className="grid gap-3 sm:grid-cols-2">
            <Input label={t`Order`} name="order" required={ofOrder} autoComplete="off" />
            {elsewhere && <Input label={t`Number of the step`} name="sequence" type="number" min={1} required />}
          </div>
        )}
        <CentreChoice type={type} isNeeded={type.endsWith("_EQUIPMENT") || ofOrder} site={site} />
        <TextArea label={t`Why`} name="why" maxLength={1000} required />
        <Button look="primary" type="submit" className="min-h-14">
          <Trans>Ask for it</Trans>
        </Button>
      </form>
    </Dialog>
  );
}

/** Of what is asked to be put into use only what is out of it, and the other way round. */
function CentreChoice({ type, isNeeded, site }: { type: string; isNeeded: boolean; site: string | null }) {
  const { t } = useLingui();
  const centres = useCentres();
  const fits = centres.data?.filter(
    (one) =>
      one.site === site &&
      (type === "ENABLE_EQUIPMENT" ? !one.is_enabled : type === "DISABLE_EQUIPMENT" ? one.is_enabled : true),
  );
  return (
    <Select key={`${type} ${fits?.length}`} label={t`Work centre`} name="centre" required={isNeeded} defaultValue="">
      <option value="">{isNeeded ? t`Choose one` : t`The whole site`}</option>
      {fits?.map((one) => (
        <option key={one.code} value={one.code}>
          {one.title} ({one.code})
        </option>
      ))}
    </Select>
  );
}
