import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { usePlant } from "@/features/core/queries";
import { station } from "@/features/workflows/scan/state";
import { session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, Switch } from "@/ui/field";
import { unitCommand } from "./act";

interface Created {
  sns: string[];
  print_job_ids: number[] | null;
}

/** New units with new serials, and their labels when they are wanted. */
export function CreateDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const here = useStore(station);
  const { data: plant } = usePlant();
  const [made, setMade] = useState<Created | null>(null);
  async function create(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim() || null;
    const answer = await unitCommand<Created>("create_generic_units", {
      p_count: Number(form.get("count")),
      p_product_code: text("code")?.toUpperCase() ?? null,
      p_site: text("site"),
      p_production_order: text("order"),
      p_request_labels: form.get("labels") !== null,
      p_station: here,
    });
    if (answer) setMade(answer.data);
  }
  return (
    <Dialog open onClose={onClose} title={t`New units`}>
      {made ? (
        <Made made={made} onClose={onClose} />
      ) : (
        <form onSubmit={create} className="grid gap-3 sm:grid-cols-2">
          <Input label={t`How many`} name="count" type="number" min={1} max={1000} step={1} defaultValue={1} required />
          <Input
            label={t`Product code`}
            note={t`2 to 8 letters and digits; empty: as the plant does.`}
            name="code"
            pattern="[A-Za-z0-9]{2,8}"
            autoComplete="off"
          />
          <Select label={t`Site`} name="site" defaultValue={who?.site ?? plant?.sites[0]?.code}>
            {plant?.sites.map((one) => (
              <option key={one.code} value={one.code}>
                {one.name}
              </option>
            ))}
          </Select>
          <Input label={t`Production order`} note={t`If they are for one.`} name="order" autoComplete="off" />
          <div className="sm:col-span-2">
            <Switch
              label={t`Print their labels`}
              note={t`At the printer for unit labels of this station.`}
              name="labels"
            />
          </div>
          <Button look="primary" type="submit" className="sm:col-span-2">
            <Trans>Make them</Trans>
          </Button>
        </form>
      )}
    </Dialog>
  );
}

function Made({ made, onClose }: { made: Created; onClose: () => void }) {
  const { t } = useLingui();
  const labels = made.print_job_ids?.length ?? 0;
  return (
    <div className="flex flex-col gap-3">
      <p role="status" className="rounded-lg bg-ok-bg p-3 text-lg font-semibold text-ok">
        <Plural value={made.sns.length} one="# unit made" other="# units made" />
      </p>
      <ul aria-label={t`New serials`} className="max-h-64 overflow-y-auto rounded-lg bg-sunk p-2 font-mono">
        {made.sns.map((sn) => (
          <li key={sn}>
            <Link to="/units/$sn" params={{ sn }} className="inline-flex min-h-12 items-center px-2 underline">
              {sn}
            </Link>
          </li>
        ))}
      </ul>
      {labels > 0 && (
        <Link to="/printing/$part" params={{ part: "jobs" }} className="inline-flex min-h-12 items-center underline">
          <Trans>Their labels are on the way: see the print jobs</Trans>
        </Link>
      )}
      <Button look="primary" onClick={onClose}>
        <Trans>Done</Trans>
      </Button>
    </div>
  );
}
