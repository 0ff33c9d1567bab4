import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { useSite, useSiteZone } from "@/features/production/queries";
import { instantOfWall } from "@/lib/time";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, Switch, TextArea } from "@/ui/field";
import { Pending, Trouble } from "@/ui/states";
import { order } from "./act";
import { useAndon, useStopReasons } from "./queries";
import type { StopChange } from "./types";
import { leaves, reasonName } from "./words";

/** What a clock of the plant shows now, for a field. */
function wallNow(zone: string): string {
  const shown = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "short" });
  return shown.format(Date.now()).replace(" ", "T");
}

/** A downtime that no machine told: it is over, or it lasts. */
export function DowntimeDialog({ machine, onClose }: { machine?: string | undefined; onClose: () => void }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const machines = useAndon({ site: useSite() });
  const reasons = useStopReasons();
  const [lasts, setLasts] = useState(false);
  const [now] = useState(() => wallNow(zone));
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim() || null;
    const at = (name: string) => {
      const wall = text(name);
      return wall === null ? null : instantOfWall(wall, zone);
    };
    const done = await order<StopChange>(
      "start_stop",
      {
        p_machine: text("machine") ?? "",
        p_reason: text("reason"),
        p_at: at("from"),
        p_ended_at: lasts ? null : at("to"),
        p_comment: text("comment"),
      } as never,
      ({ changed }) => (changed ? t`The downtime is on record.` : t`It stands already, as somebody said before.`),
    );
    if (done) onClose();
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={t`Enter a downtime`}
      note={t`For time in which a machine stood and did not tell. It holds whatever the machine says.`}
    >
      <form onSubmit={send} className="flex flex-col gap-3">
        <Pending of={machines} />
        <Trouble of={reasons} />
        <Select
          label={t`Machine`}
          name="machine"
          defaultValue={machine}
          key={machines.data ? "there" : "none"}
          required
        >
          {machines.data?.map((one) => (
            <option key={one.machine} value={one.machine}>
              {one.name}
            </option>
          ))}
        </Select>
        <Select label={t`Reason`} name="reason" defaultValue="">
          <option value="">{t`Not known yet`}</option>
          {leaves(reasons.data ?? []).map((one) => (
            <option key={one.code} value={one.code}>
              {reasonName(one.code, one.title)}
            </option>
          ))}
        </Select>
        <Input label={t`It stood from`} name="from" type="datetime-local" max={now} defaultValue={now} required />
        <Switch label={t`It still stands`} checked={lasts} onChange={(event) => setLasts(event.target.checked)} />
        {!lasts && <Input label={t`It stood until`} name="to" type="datetime-local" max={now} required />}
        <TextArea label={t`Comment, if any`} name="comment" maxLength={2000} />
        <Button look="primary" type="submit" className="min-h-14">
          <Trans>Enter it</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
