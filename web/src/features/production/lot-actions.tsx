import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, Switch } from "@/ui/field";
import { hold, merge, release, split } from "./lot-act";
import type { LotDetail } from "./lot-types";

type Props = { detail: LotDetail; onClose: () => void };
type Open = "hold" | "release" | "split" | "merge";

/** Hold and release, split and merge: what the person may do, and what the lot has left. */
export function LotActions({ detail }: { detail: LotDetail }) {
  const { who } = useStore(session);
  const [open, setOpen] = useState<Open | null>(null);
  const isHeld = detail.lot.held_at !== null;
  const hasSome = detail.mass.is_counted && Number(detail.mass.remaining) > 0;
  const mayMove = may(who, "production.lots") && hasSome && !isHeld && !detail.balance?.removed_at;
  const close = () => setOpen(null);
  return (
    <div className="flex flex-wrap gap-2">
      {mayMove && (
        <>
          <Button onClick={() => setOpen("split")}>
            <Trans>Split</Trans>
          </Button>
          <Button onClick={() => setOpen("merge")}>
            <Trans>Merge</Trans>
          </Button>
        </>
      )}
      {may(who, "units.hold") &&
        (isHeld ? (
          <Button look="primary" onClick={() => setOpen("release")}>
            <Trans>Release</Trans>
          </Button>
        ) : (
          <Button look="danger" onClick={() => setOpen("hold")}>
            <Trans>Hold</Trans>
          </Button>
        ))}
      {(open === "hold" || open === "release") && <HoldDialog detail={detail} what={open} onClose={close} />}
      {open === "split" && <SplitDialog detail={detail} onClose={close} />}
      {open === "merge" && <MergeDialog detail={detail} onClose={close} />}
    </div>
  );
}

/** With a choice: only the lot, or what it went into as well. */
function HoldDialog({ detail, what, onClose }: Props & { what: "hold" | "release" }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const { lot, genealogy } = detail;
  const onward = (genealogy.went_into ?? []).filter((one) => one.kind === "lot" || one.kind === "unit");
  const [lots, units] = ["lot", "unit"].map((kind) => formatNumber(onward.filter((one) => one.kind === kind).length));
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const reason = String(form.get("reason")).trim();
    const done = await (what === "hold" ? hold : release)(lot, reason, form.get("onward") === "on");
    if (done) onClose();
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={what === "hold" ? t`Hold lot ${lot.code}` : t`Release lot ${lot.code}`}
      note={
        what === "hold"
          ? t`Nothing of it may be used, and no unit that has some of it may be packed.`
          : t`On hold: ${lot.hold_reason ?? ""}`
      }
    >
      <form onSubmit={send} className="flex flex-col gap-3">
        <Input label={t`Reason`} name="reason" maxLength={500} required autoComplete="off" />
        {onward.length > 0 && may(who, "units.recall") && (
          <Switch
            name="onward"
            label={what === "hold" ? t`Hold what it went into, too` : t`Release what it went into, too`}
            note={
              what === "hold"
                ? t`Lots: ${lots}, units: ${units}`
                : t`Lots: ${lots}, units: ${units}, as far as they are on hold for the same reason`
            }
          />
        )}
        <Button look={what === "hold" ? "danger" : "primary"} type="submit">
          {what === "hold" ? <Trans>Hold</Trans> : <Trans>Release</Trans>}
        </Button>
      </form>
    </Dialog>
  );
}

function SplitDialog({ detail, onClose }: Props) {
  const { t } = useLingui();
  const { lot, mass } = detail;
  const hasBoth = Number(mass.finished) > 0 && Number(mass.in_process) > 0;
  const [left, finished, running] = [mass.remaining, mass.finished, mass.in_process].map((n) =>
    formatNumber(Number(n)),
  );
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim() || null;
    const done = await split(lot, {
      p_quantity: Number(form.get("quantity")),
      p_new_code: text("code"),
      p_part: text("part"),
      p_reason: text("reason"),
    });
    if (done) onClose();
  }
  return (
    <Dialog open onClose={onClose} title={t`Split lot ${lot.code}`} note={t`So much of it becomes a lot of its own.`}>
      <form onSubmit={send} className="flex flex-col gap-3">
        <Input
          label={t`How much of ${left ?? ""}`}
          name="quantity"
          type="number"
          min={0.001}
          max={Number(mass.remaining)}
          step="any"
          required
        />
        {hasBoth && (
          <Select label={t`Which part`} name="part" required defaultValue="finished">
            <option value="finished">{t`Finished: ${finished ?? ""}`}</option>
            <option value="in_process">{t`In process: ${running ?? ""}`}</option>
          </Select>
        )}
        <Input
          label={t`Code of the new lot`}
          name="code"
          maxLength={80}
          autoComplete="off"
          note={t`Without one: this code with a number behind it.`}
        />
        <Input label={t`Why (not required)`} name="reason" maxLength={500} autoComplete="off" />
        <Button look="primary" type="submit">
          <Trans>Split</Trans>
        </Button>
      </form>
    </Dialog>
  );
}

function MergeDialog({ detail, onClose }: Props) {
  const { t } = useLingui();
  const { lot, mass } = detail;
  const left = formatNumber(Number(mass.remaining));
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const into = String(form.get("into")).trim();
    if (await merge(lot, into, String(form.get("reason")).trim() || null)) onClose();
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={t`Merge lot ${lot.code} into another one`}
      note={t`All that is left of it, ${left}, goes into a lot of the same item: one that is there, or a new one.`}
    >
      <form onSubmit={send} className="flex flex-col gap-3">
        <Input label={t`Into the lot`} name="into" maxLength={80} required autoComplete="off" />
        <Input label={t`Why (not required)`} name="reason" maxLength={500} autoComplete="off" />
        <Button look="primary" type="submit">
          <Trans>Merge</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
