import { Trans, useLingui } from "@lingui/react/macro";
import type { FormEvent } from "react";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select } from "@/ui/field";
import { produce } from "./act";
import { useProcessSteps } from "./queries";
import type { WorkCentre, WorkCentreRow } from "./types";
import { CENTRE_TYPES, centreType } from "./words";

/** A new machine or bench, or another name, step or size for one. */
export function CentreForm(props: { centre: WorkCentre | null; site: string | null; onClose: () => void }) {
  const { t } = useLingui();
  const { centre } = props;
  const steps = useProcessSteps();
  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim() || null;
    const given = {
      p_code: centre?.code ?? text("code"),
      p_title: text("title"),
      p_step: text("step"),
      p_type: text("type"),
      p_line: text("line"),
      p_capacity: Number(form.get("capacity") || 0), // 0: no limit
      p_site: centre?.site ?? props.site,
    };
    const done = await produce<WorkCentreRow>("save_work_centre", given as never, ({ title }) => t`${title}: kept.`);
    if (done) props.onClose();
  }
  return (
    <Dialog open onClose={props.onClose} title={centre ? t`Change ${centre.title}` : t`New work centre`}>
      <form onSubmit={save} className="flex flex-col gap-3">
        {!centre && (
          <Input
            label={t`Code`}
            note={t`It stands on the machine and is scanned: letters, digits, - and _.`}
            name="code"
            required
            maxLength={61}
            pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*"
            autoComplete="off"
          />
        )}
        <Input label={t`Name`} name="title" required maxLength={200} defaultValue={centre?.title} autoComplete="off" />
        <Select
          key={String(steps.data?.length)}
          label={t`Step that it does`}
          name="step"
          required
          defaultValue={centre?.step ?? ""}
        >
          <option value="">{t`Choose one`}</option>
          {steps.data?.map((one) => (
            <option key={one.code} value={one.code}>
              {one.title}
            </option>
          ))}
        </Select>
        <div className="grid gap-3 sm:grid-cols-3">
          <Select label={t`Kind`} name="type" defaultValue={centre?.type ?? "OTHER"}>
            {CENTRE_TYPES.map((one) => (
              <option key={one} value={one}>
                {centreType(one)}
              </option>
            ))}
          </Select>
          <Input label={t`Line`} name="line" maxLength={100} defaultValue={centre?.line ?? ""} autoComplete="off" />
          <Input
            label={t`Places`}
            note={t`So many orders run there at once. Empty: no limit.`}
            name="capacity"
            type="number"
            min={1}
            max={10_000}
            defaultValue={centre?.capacity ?? ""}
          />
        </div>
        <Button look="primary" type="submit">
          <Trans>Keep</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
