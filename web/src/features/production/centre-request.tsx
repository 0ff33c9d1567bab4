import { Trans, useLingui } from "@lingui/react/macro";
import { CircleAlert, Clock } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useZone } from "@/features/core/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant } from "@/lib/time";
import { Button, LinkButton } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { TextArea } from "@/ui/field";
import { ask } from "./approval-act";
import type { WorkCentre } from "./types";

/** Why a work centre is out of use, since when and by whom; and the way back, which somebody else approves. */
export function DisabledNote({ centre }: { centre: WorkCentre }) {
  const zone = useZone();
  const since = centre.disabled_at ? formatInstant(centre.disabled_at, zone) : "";
  const by = centre.disabled_by_name;
  return (
    <div role="note" className="flex flex-wrap items-center gap-3 rounded-xl border border-bad bg-bad-bg p-3 text-bad">
      <CircleAlert aria-hidden className="shrink-0" />
      <p className="min-w-0 flex-1 basis-60">
        <b>
          <Trans>Out of use: {centre.disabled_reason}</Trans>
        </b>
        <span className="block text-sm">
          {by ? (
            <Trans>
              Since {since}, by {by}. Nothing is started or counted here.
            </Trans>
          ) : (
            <Trans>Since {since}. Nothing is started or counted here.</Trans>
          )}
        </span>
      </p>
      <SwitchRequest centre={centre} />
    </div>
  );
}

/** Asks for a work centre to be put into use or taken out of it; or says that somebody has asked already. */
export function SwitchRequest({ centre }: { centre: WorkCentre }) {
  const [open, setOpen] = useState(false);
  const { who } = useStore(session);
  const { pending } = centre;
  if (pending) {
    const name = pending.requested_by_name ?? "";
    return (
      <LinkButton to="/production/approvals" className="text-ink">
        <Clock aria-hidden />
        {pending.type === "ENABLE_EQUIPMENT" ? (
          <Trans>{name} asked to put it into use</Trans>
        ) : (
          <Trans>{name} asked to take it out of use</Trans>
        )}
      </LinkButton>
    );
  }
  if (!may(who, "production.request")) return null;
  return (
    <>
      <Button onClick={() => setOpen(true)}>
        {centre.is_enabled ? <Trans>Ask to take it out of use</Trans> : <Trans>Ask to put it into use</Trans>}
      </Button>
      {open && <SwitchDialog centre={centre} onClose={() => setOpen(false)} />}
    </>
  );
}

function SwitchDialog({ centre, onClose }: { centre: WorkCentre; onClose: () => void }) {
  const { t } = useLingui();
  const type = centre.is_enabled ? "DISABLE_EQUIPMENT" : "ENABLE_EQUIPMENT";
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const p_justification = String(new FormData(event.currentTarget).get("why")).trim();
    if (await ask({ p_type: type, p_justification, p_work_centre: centre.code })) onClose();
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={centre.is_enabled ? t`Take ${centre.title} out of use` : t`Put ${centre.title} into use again`}
      note={t`You ask, a planner or manager decides. Nobody decides about their own request.`}
    >
      <form onSubmit={send} className="flex flex-col gap-3">
        <TextArea label={t`Why`} name="why" maxLength={500} required />
        <Button look="primary" type="submit">
          <Trans>Ask for it</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
