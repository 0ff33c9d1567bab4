import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { useZone } from "@/features/core/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { unitCommand } from "./act";
import { useComponents } from "./queries";
import type { Component, Unit } from "./types";

/** What is built in now, and the way to take it out. */
export function Parts({ unit }: { unit: Unit }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const zone = useZone();
  const parts = useComponents(unit.sn);
  const [out, setOut] = useState<Component | null>(null);
  const mayChange = may(who, "units.assemble") && unit.packed_at === null && unit.status !== "SCRAPPED";
  return (
    <Panel title={<Trans>Parts built in</Trans>}>
      <Pending of={parts} />
      {parts.data?.length === 0 && <Empty>{t`No part was scanned into it.`}</Empty>}
      <ul aria-label={t`Parts built in`} className="divide-y divide-line">
        {parts.data?.map((one) => (
          <li key={one.id} className="flex min-h-14 flex-wrap items-center gap-x-3 py-1">
            <span className="font-semibold tabular-nums">{formatNumber(one.quantity)} ×</span>
            <span className="font-mono font-semibold">{one.sku}</span>
            <span className="min-w-0 flex-1 text-sm text-soft">
              {[
                one.lots && t`Lot ${one.lots.code}`,
                one.component_sn && t`Serial ${one.component_sn}`,
                formatInstant(one.installed_at, zone),
              ]
                .filter(Boolean)
                .join(" · ")}
            </span>
            {one.lots?.held_at && (
              <Badge tone="bad">
                <Trans>Lot on hold</Trans>
              </Badge>
            )}
            {mayChange && (
              <Button onClick={() => setOut(one)}>
                <Trans>Take out</Trans>
              </Button>
            )}
          </li>
        ))}
      </ul>
      {out && <TakeOutDialog part={out} onClose={() => setOut(null)} />}
    </Panel>
  );
}

function TakeOutDialog({ part, onClose }: { part: Component; onClose: () => void }) {
  const { t } = useLingui();
  async function send(event: React.FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const given = {
      p_component_id: part.id,
      p_removal: String(form.get("removal")),
      p_reason: String(form.get("reason")).trim() || null,
    };
    if (await unitCommand("uninstall_component", given, () => t`${part.sku} is out of ${part.sn}.`)) onClose();
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={t`Take ${part.sku} out`}
      note={t`Tests of the unit no longer count after that.`}
    >
      <form onSubmit={send} className="flex flex-col gap-3">
        <Select label={t`What becomes of it`} name="removal" defaultValue="recovered">
          <option value="recovered">{t`It may be used again`}</option>
          <option value="scrapped">{t`It is thrown away`}</option>
        </Select>
        <Input label={t`Reason`} name="reason" maxLength={500} autoComplete="off" />
        <Button look="primary" type="submit">
          <Trans>Take out</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
