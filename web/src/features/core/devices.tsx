import { Trans, useLingui } from "@lingui/react/macro";
import { Plus, Unplug } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useNow } from "@/features/workflows/badges";
import { command } from "@/lib/commands";
import { explain } from "@/lib/messages";
import { queries } from "@/lib/query";
import { rpc } from "@/lib/rpc";
import { may, session } from "@/lib/session";
import { addressWith } from "@/lib/station";
import { useStore } from "@/lib/store";
import { formatAge } from "@/lib/time";
import type { Device, Enrolment } from "@/lib/types";
import { Badge, type BadgeTone } from "@/ui/badge";
import { Button } from "@/ui/button";
import { QrCode } from "@/ui/codes";
import { Dialog } from "@/ui/dialog";
import { Input, Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { toast } from "@/ui/toast";
import { useDevices, usePlant } from "./queries";

const KINDS = ["print_agent", "bambu_bridge", "fixture", "kiosk", "equipment"];

export function DevicesPart() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const devices = useDevices();
  const [adding, setAdding] = useState(false);
  const mayManage = may(who, "devices.manage");
  const tools = mayManage && (
    <Button onClick={() => setAdding(true)}>
      <Plus aria-hidden /> <Trans>Add a device</Trans>
    </Button>
  );
  return (
    <Panel title={<Trans>Devices</Trans>} tools={tools}>
      <Pending of={devices} />
      {devices.data?.length === 0 && <Empty>{t`No devices yet.`}</Empty>}
      <ul className="flex flex-col divide-y divide-line">
        {devices.data?.map((one) => (
          <DeviceRow key={one.id} device={one} mayManage={mayManage} />
        ))}
      </ul>
      {adding && <AddDialog onClose={() => setAdding(false)} />}
    </Panel>
  );
}

function DeviceRow({ device, mayManage }: { device: Device; mayManage: boolean }) {
  const { t } = useLingui();
  const now = useNow();
  const age = device.last_seen_at ? formatAge(now - Date.parse(device.last_seen_at)) : null;
  const state: [BadgeTone, string] = device.revoked_at
    ? ["bad", t`Revoked`]
    : device.user_id
      ? ["ok", t`Enrolled`]
      : ["warn", t`Waits for its code`];
  async function revoke() {
    try {
      await command("revoke_device", { p_code: device.code } as never);
      toast("ok", t`${device.name} is revoked.`);
    } catch (error) {
      toast("bad", explain(error));
    }
    await queries.invalidateQueries({ queryKey: ["devices"] });
  }
  return (
    <li className="flex min-h-16 flex-wrap items-center gap-3 py-2">
      <div className="min-w-0 flex-1">
        <p className="font-semibold">{device.name}</p>
        <p className="text-sm text-soft">
          <span className="font-mono">{device.code}</span> · {device.kind} · {device.site}
        </p>
      </div>
      <span className="text-sm text-soft">{age ? t`Seen ${age} ago` : t`Never seen`}</span>
      <Badge tone={state[0]}>{state[1]}</Badge>
      {mayManage && !device.revoked_at && (
        <Button look="danger" onClick={() => void revoke()}>
          <Unplug aria-hidden className="size-5" /> <Trans>Revoke</Trans>
        </Button>
      )}
    </li>
  );
}

function AddDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLingui();
  const plant = usePlant();
  const [made, setMade] = useState<(Enrolment & { kind: string }) | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name));
    try {
      const given = { p_code: text("code"), p_kind: text("kind"), p_name: text("name"), p_site: text("site") };
      setMade({ ...(await rpc<Enrolment>("create_device", given)), kind: given.p_kind });
      await queries.invalidateQueries({ queryKey: ["devices"] });
    } catch (error) {
      setProblem(explain(error));
    }
  }
  if (made) {
    return (
      <Dialog
        open
        onClose={onClose}
        title={t`Enrol ${made.code}`}
        note={t`The code works once, for 15 minutes, and is not shown again.`}
      >
        <div className="flex flex-col items-center gap-4">
          <QrCode
            text={made.kind === "kiosk" ? addressWith(made.enrolment_code) : made.enrolment_code}
            label={t`Enrolment code`}
            className="size-56"
          />
          <p className="font-mono text-xl font-bold select-all">{made.enrolment_code}</p>
          {made.kind === "kiosk" && (
            <p className="text-center text-soft">
              <Trans>
                Scan it with the tablet's camera, or open this address there and choose “This is a shared station”.
              </Trans>
            </p>
          )}
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog open onClose={onClose} title={t`Add a device`}>
      <form onSubmit={save} className="flex flex-col gap-3">
        <Input label={t`Name`} name="name" required />
        <Input
          label={t`Code`}
          name="code"
          required
          pattern="[a-z][a-z0-9_\-]*"
          note={t`Small letters, digits, - and _`}
        />
        <Select label={t`Kind`} name="kind">
          {KINDS.map((kind) => (
            <option key={kind}>{kind}</option>
          ))}
        </Select>
        <Select label={t`Site`} name="site">
          {plant.data?.sites.map((site) => (
            <option key={site.code} value={site.code}>
              {site.name}
            </option>
          ))}
        </Select>
        {problem && (
          <p role="alert" className="font-medium text-bad">
            {problem}
          </p>
        )}
        <Button look="primary" type="submit">
          <Trans>Make a code</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
