import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, TextArea } from "@/ui/field";
import { PhotoInput, PhotoWait, usePhoto } from "@/ui/photo";
import { Trouble } from "@/ui/states";
import { useCentre, useReasons } from "../queries";
import type { Work } from "../types";
import type { Actions } from "./actions";
import type { Station } from "./work";

/** Good, scrap and rework of a while in one report; what is not good with its reason. */
export function ReportDialog(props: {
  on: Work;
  centre: string;
  press: Station["press"];
  actions: Actions;
  onClose: () => void;
}) {
  const { t } = useLingui();
  const { on } = props;
  const reasons = useReasons(on.step);
  const photo = usePhoto("production_order", useCentre(props.centre)?.site ?? "");
  const [bad, setBad] = useState({ scrap: 0, rework: 0 });
  const needsReason = bad.scrap + bad.rework > 0;
  function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim() || null;
    const made = {
      good: Number(form.get("good") || 0),
      ...bad,
      reason: text("reason"),
      cause: text("cause"),
      position: text("position"),
      notes: text("notes"),
      photo: needsReason ? photo.path : null,
    };
    props.press(props.actions.report(made));
    props.onClose();
  }
  const figure = {
    type: "number",
    inputMode: "decimal",
    min: 0,
    step: "any",
    className: "min-h-16 text-2xl!",
  } as const;
  return (
    <Dialog open onClose={props.onClose} title={t`Report on ${on.code}`} note={on.step_title}>
      <form onSubmit={send} className="flex flex-col gap-3">
        <Trouble of={reasons} />
        <div className="grid grid-cols-3 gap-2">
          <Input label={t({ message: "Good", context: "pieces" })} name="good" defaultValue="" {...figure} />
          <Input
            label={t({ message: "Scrap", context: "pieces" })}
            name="scrap"
            onChange={(event) => setBad({ ...bad, scrap: Number(event.target.value) })}
            {...figure}
          />
          <Input
            label={t({ message: "Rework", context: "pieces" })}
            name="rework"
            onChange={(event) => setBad({ ...bad, rework: Number(event.target.value) })}
            {...figure}
          />
        </div>
        {needsReason && (
          <>
            <Select label={t`Reason`} name="reason" required defaultValue="">
              <option value="">{t`Choose one`}</option>
              {reasons.data?.map((family) =>
                family.reasons.length > 0 ? (
                  <optgroup key={family.code} label={family.title}>
                    {family.reasons.map((one) => (
                      <option key={one.code} value={one.code}>
                        {one.title}
                      </option>
                    ))}
                  </optgroup>
                ) : (
                  <option key={family.code} value={family.code}>
                    {family.title}
                  </option>
                ),
              )}
            </Select>
            <div className="grid gap-2 sm:grid-cols-2">
              <Input label={t`Cause, if known`} name="cause" maxLength={200} autoComplete="off" />
              <Input label={t`Where on the piece`} name="position" maxLength={100} autoComplete="off" />
            </div>
            <PhotoInput photo={photo} />
            <PhotoWait photo={photo} id="report-photo" />
          </>
        )}
        <TextArea label={t`Notes`} name="notes" maxLength={2000} />
        <Button
          look="primary"
          type="submit"
          className="min-h-16 text-xl"
          disabled={needsReason && photo.isPending}
          aria-describedby={needsReason && photo.isPending ? "report-photo" : undefined}
        >
          <Trans>Report</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
