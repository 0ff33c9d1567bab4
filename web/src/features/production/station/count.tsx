import { Trans, useLingui } from "@lingui/react/macro";
import { CircleCheck } from "lucide-react";
import { type FormEvent, useState } from "react";
import { rememberedStore, useStore } from "@/lib/store";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";
import type { Work } from "../types";
import type { Actions } from "./actions";
import type { Station } from "./work";

/** How pieces are counted at this device: tap by tap, or by what a machine's counter shows. */
const byCounter = rememberedStore("takt.count-by-counter", false);
const perCycle = rememberedStore("takt.pieces-per-cycle", "1");

interface Props {
  on: Work;
  press: Station["press"];
  actions: Actions;
}

/** Good pieces: one big button, and some for more; or the reading of a counter. */
export function CountButtons(props: Props) {
  const { t } = useLingui();
  const counter = useStore(byCounter);
  return (
    <section aria-label={t`Count good pieces`} className="flex flex-col gap-2">
      <div className="flex flex-wrap items-center gap-2">
        <h2 className="mr-auto text-lg font-semibold">
          <Trans>Good pieces</Trans>
        </h2>
        <Button look="quiet" aria-pressed={counter} onClick={() => byCounter.set(!counter)}>
          {counter ? <Trans>Count by buttons</Trans> : <Trans>Count by a counter</Trans>}
        </Button>
      </div>
      {counter ? <Counter {...props} /> : <Steps {...props} />}
    </section>
  );
}

function Steps({ on, press, actions }: Props) {
  const rest = Number(on.waiting) + Number(on.can_start);
  const steps = [5, 10].filter((step) => step < rest);
  return (
    <div className="flex flex-wrap gap-2">
      <Button look="primary" className="min-h-24 flex-[2] basis-52 text-3xl!" onClick={() => press(actions.good(1))}>
        <CircleCheck aria-hidden className="size-8" /> <Trans>+1 good</Trans>
      </Button>
      {steps.map((step) => (
        <Button
          key={step}
          className="min-h-24 flex-1 basis-20 text-2xl! font-semibold"
          onClick={() => press(actions.good(step))}
        >
          <Trans>
            +{formatNumber(step)} <span className="sr-only">good</span>
          </Trans>
        </Button>
      ))}
      {rest > 1 && (
        <Button className="min-h-24 flex-1 basis-24 text-2xl! font-semibold" onClick={() => press(actions.good(rest))}>
          <Trans>
            All {formatNumber(rest)} <span className="sr-only">good</span>
          </Trans>
        </Button>
      )}
    </div>
  );
}

function Counter({ press, actions }: Props) {
  const { t } = useLingui();
  const [reading, setReading] = useState("");
  const each = useStore(perCycle);
  function send(event: FormEvent) {
    event.preventDefault();
    press(actions.counter(Number(reading), Number(each) || 1));
    setReading("");
  }
  return (
    <form onSubmit={send} className="grid items-end gap-2 sm:grid-cols-[1fr_10rem_auto]">
      <Input
        label={t`The counter shows`}
        type="number"
        inputMode="numeric"
        min={0}
        step="any"
        required
        autoComplete="off"
        className="min-h-16 text-2xl!! font-semibold"
        value={reading}
        onChange={(event) => setReading(event.target.value)}
      />
      <Input
        label={t`Pieces per cycle`}
        type="number"
        inputMode="decimal"
        min={0.001}
        step="any"
        required
        className="min-h-16 text-2xl!"
        value={each}
        onChange={(event) => perCycle.set(event.target.value)}
      />
      <Button look="primary" type="submit" className="min-h-16 text-xl">
        <Trans>Count</Trans>
      </Button>
    </form>
  );
}
