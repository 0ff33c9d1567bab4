import { Trans, useLingui } from "@lingui/react/macro";
import { Pencil } from "lucide-react";
import { type FormEvent, useState } from "react";
import { command } from "@/lib/commands";
import { explain } from "@/lib/messages";
import { queries } from "@/lib/query";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import type { Staff } from "@/lib/types";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, Switch } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { toast } from "@/ui/toast";
import { BadgeMaker, PinForm } from "./keys";
import { usePlant, useRights, useStaff } from "./queries";

export function StaffPart() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const staff = useStaff();
  const [editing, setEditing] = useState<Staff | null>(null);
  return (
    <Panel title={<Trans>People</Trans>}>
      <p className="mb-3 text-soft">
        <Trans>New accounts are made with the command: takt user add</Trans>
      </p>
      <Pending of={staff} />
      <ul className="flex flex-col divide-y divide-line">
        {staff.data?.map((one) => (
          <li key={one.user_id} className="flex min-h-16 flex-wrap items-center gap-x-4 gap-y-1 py-2">
            <div className="min-w-0 flex-1">
              <p className="font-semibold">{one.full_name}</p>
              <p className="truncate text-sm text-soft">{one.email}</p>
            </div>
            <Badge tone="accent">{one.role}</Badge>
            <span className="text-sm">{one.stores.includes("*") ? t`All stores` : one.stores.join(", ")}</span>
            <Badge tone={one.is_active ? "ok" : "bad"}>{one.is_active ? t`Active` : t`Disabled`}</Badge>
            {may(who, "staff.manage") && (
              <Button aria-label={t`Edit ${one.full_name}`} onClick={() => setEditing(one)}>
                <Pencil aria-hidden className="size-5" />
              </Button>
            )}
          </li>
        ))}
      </ul>
      {editing && <StaffDialog person={editing} onClose={() => setEditing(null)} />}
    </Panel>
  );
}

function StaffDialog({ person, onClose }: { person: Staff; onClose: () => void }) {
  const { t } = useLingui();
  const rights = useRights();
  const plant = usePlant();
  const [everywhere, setEverywhere] = useState(person.stores.includes("*"));
  const [problem, setProblem] = useState<string | null>(null);

  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const active = form.get("active") === "on";
    try {
      await command("upsert_staff", {
        p_user_id: person.user_id,
        p_full_name: String(form.get("name")),
        p_email: person.email,
        p_role: String(form.get("role")),
        p_stores: everywhere ? ["*"] : form.getAll("store").map(String),
      } as never);
      if (active !== person.is_active) {
        await command("set_staff_active", { p_user_id: person.user_id, p_is_active: active } as never);
      }
      await queries.invalidateQueries({ queryKey: ["staff"] });
      toast("ok", t`Saved.`);
      onClose();
    } catch (error) {
      setProblem(explain(error));
    }
  }

  return (
    <Dialog open onClose={onClose} title={person.full_name} note={person.email ?? undefined}>
      <form onSubmit={save} className="flex flex-col gap-3">
        <Input label={t`Name`} name="name" defaultValue={person.full_name} required />
        <Select key={rights.data ? "known" : "unknown"} label={t`Role`} name="role" defaultValue={person.role}>
          {rights.data?.roles
            .filter((role) => role.audience === "staff")
            .map((role) => (
              <option key={role.role} value={role.role}>
                {role.title}
              </option>
            ))}
        </Select>
        <Switch
          label={t`Works in all stores`}
          checked={everywhere}
          onChange={(event) => setEverywhere(event.target.checked)}
        />
        {!everywhere &&
          plant.data?.stores.map((store) => (
            <Switch
              key={store.code}
              label={store.name}
              name="store"
              value={store.code}
              defaultChecked={person.stores.includes(store.code)}
            />
          ))}
        <Switch label={t`May sign in`} name="active" defaultChecked={person.is_active} />
        {problem && (
          <p role="alert" className="font-medium text-bad">
            {problem}
          </p>
        )}
        <Button look="primary" type="submit">
          <Trans>Save</Trans>
        </Button>
      </form>
      <section className="mt-4 flex flex-col gap-3 border-t border-line pt-4">
        <h3 className="font-semibold">
          <Trans>At shared stations</Trans>
        </h3>
        <PinForm user={person.user_id} />
        <BadgeMaker user={person.user_id} name={person.full_name} />
      </section>
    </Dialog>
  );
}
