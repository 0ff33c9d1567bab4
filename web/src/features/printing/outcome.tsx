import { Trans, useLingui } from "@lingui/react/macro";
import { Check, CircleSlash, ListMinus } from "lucide-react";
import { type FormEvent, useState } from "react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input } from "@/ui/field";
import { print } from "./act";

/** "Did it come out?": what only a person beside the printer can say. `total` labels were asked for. */
export function OutcomeButtons({ job, total = 1 }: { job: number; total?: number }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const [counting, setCounting] = useState(false);
  if (!may(who, "printing.resolve")) return null;
  const say = (p_outcome: string, p_labels_out: number | null = null) =>
    print("resolve_print", { p_job_id: job, p_outcome, p_labels_out });
  async function partly(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (await say("partly", Number(new FormData(event.currentTarget).get("out")))) setCounting(false);
  }
  return (
    <fieldset className="flex flex-wrap gap-2">
      <legend className="sr-only">{t`Did it come out?`}</legend>
      <Button look="primary" onClick={() => void say("came_out")}>
        <Check aria-hidden className="size-5" /> <Trans>It came out</Trans>
      </Button>
      <Button look="danger" onClick={() => void say("did_not_come_out")}>
        <CircleSlash aria-hidden className="size-5" /> <Trans>It did not</Trans>
      </Button>
      {total > 1 && (
        <Button onClick={() => setCounting(true)}>
          <ListMinus aria-hidden className="size-5" /> <Trans>Only some</Trans>
        </Button>
      )}
      {counting && (
        <Dialog open onClose={() => setCounting(false)} title={t`How many of the ${total} came out?`}>
          <form onSubmit={partly} className="flex flex-col gap-3">
            <Input label={t`Labels that came out`} name="out" type="number" min={1} max={total - 1} required />
            <Button look="primary" type="submit">
              <Trans>Save</Trans>
            </Button>
          </form>
        </Dialog>
      )}
    </fieldset>
  );
}
