import { Trans, useLingui } from "@lingui/react/macro";
import type { FormEvent } from "react";
import type { RpcName } from "@/lib/rpc";
import { may, session } from "@/lib/session";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select } from "@/ui/field";
import { unitCommand } from "./act";
import { useVariants } from "./queries";
import type { Unit, UnitChange } from "./types";

/** Which product the unit becomes. */
export function AssignDialog({ unit, onClose }: { unit: Unit; onClose: () => void }) {
  const { t } = useLingui();
  const variants = useVariants();
  const before = unit.variant_code;
  const assign = (code: string | null, said: string, undo?: string | null) =>
    unitCommand<UnitChange>(
      "assign_unit_variant",
      { p_sn: unit.sn, p_variant: code },
      () => said,
      () => (undo ? { label: t`Undo`, run: () => void assign(undo, t`${unit.sn} is ${undo} again.`) } : undefined),
    );
  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const code = String(new FormData(event.currentTarget).get("variant"));
    if (await assign(code, t`${unit.sn} becomes ${code}.`, before)) onClose();
  }
  return (
    <Dialog open onClose={onClose} title={t`Variant of ${unit.sn}`} note={t`Its serial stays as it is.`}>
      <form onSubmit={save} className="flex flex-col gap-3">
        <Select
          key={String(variants.data?.length)}
          label={t`Variant`}
          name="variant"
          defaultValue={before ?? ""}
          required
        >
          <option value="">{t`Choose one`}</option>
          {variants.data
            ?.filter((one) => one.is_active)
            .map((one) => (
              <option key={one.code} value={one.code}>
                {one.title} ({one.code})
              </option>
            ))}
        </Select>
        <Button look="primary" type="submit">
          <Trans>Assign</Trans>
        </Button>
      </form>
    </Dialog>
  );
}

export type Reasoned = "rework" | "hold" | "release" | "unpack" | "scrap";
const RPCS: Record<Reasoned, RpcName> = {
  rework: "send_to_rework",
  hold: "hold_unit",
  release: "release_unit",
  unpack: "unpack_unit",
  scrap: "scrap_unit",
};

/** A step that is taken for a reason. */
export function ReasonDialog({ unit, what, onClose }: { unit: Unit; what: Reasoned; onClose: () => void }) {
  const { t } = useLingui();
  const { sn } = unit;
  const words = {
    rework: {
      title: t`Send ${sn} to rework`,
      note: t`Its tests no longer count; it leaves its kit, its box and the stock.`,
      said: t`${sn} is in rework.`,
    },
    hold: {
      title: t`Put ${sn} on hold`,
      note: t`Nothing is done with it until somebody releases it.`,
      said: t`${sn} is on hold.`,
    },
    release: { title: t`Release ${sn}`, note: t`It goes on where it was.`, said: t`${sn} is released.` },
    unpack: {
      title: t`Unpack ${sn}`,
      note: t`Its kit is free again and has to be scanned again.`,
      said: t`${sn} is unpacked.`,
    },
    scrap: {
      title: t`Scrap ${sn}`,
      note: t`There is no way back. In stock it counts as scrapped.`,
      said: t`${sn} is scrapped.`,
    },
  }[what];
  const release = () =>
    unitCommand<UnitChange>(
      "release_unit",
      { p_sn: sn, p_reason: t`Taken back right after` },
      (data) => data.notices?.[0]?.message ?? t`${sn} is released.`,
    );
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget).get("reason")).trim();
    const done = await unitCommand<UnitChange>(
      RPCS[what],
      { p_sn: sn, p_reason: reason || null },
      (data) => data.notices?.[0]?.message ?? words.said,
      () =>
        what === "hold" && may(session.get().who, "units.hold")
          ? { label: t`Undo`, run: () => void release() }
          : undefined,
    );
    if (done) onClose();
  }
  return (
    <Dialog open onClose={onClose} title={words.title} note={words.note}>
      <form onSubmit={send} className="flex flex-col gap-3">
        <Input label={t`Reason`} name="reason" maxLength={500} required={what !== "release"} autoComplete="off" />
        <Button look={what === "scrap" ? "danger" : "primary"} type="submit">
          {words.title}
        </Button>
      </form>
    </Dialog>
  );
}
