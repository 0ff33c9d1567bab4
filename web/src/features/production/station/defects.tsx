import { Trans, useLingui } from "@lingui/react/macro";
import { ChevronRight, Minus, Plus } from "lucide-react";
import { useEffect, useState } from "react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input } from "@/ui/field";
import { PhotoInput, PhotoWait, usePhoto } from "@/ui/photo";
import { Pending } from "@/ui/states";
import { useCentre, useReasons } from "../queries";
import type { Reason, ReasonFamily, Work } from "../types";
import { dispositionMeaning, dispositionName, needsConcession } from "../words";
import type { Actions } from "./actions";
import { failing } from "./fail";
import type { Station } from "./work";

interface Props {
  on: Work;
  centre: string;
  press: Station["press"];
  actions: Actions;
}
const CHOICES = ["scrap", "rework", "hold", "repair", "use_as_is", "return"];

/** Two taps: what is wrong, then exactly what. The reason proposes what becomes of the piece. */
export function Defects({ on, centre, press, actions }: Props) {
  const { t } = useLingui();
  const reasons = useReasons(on.step);
  const open = useStore(failing);
  const family = reasons.data?.find((one) => one.code === open);
  // Another order or another person: what was about to be said was about these pieces.
  // biome-ignore lint/correctness/useExhaustiveDependencies: whose it is decides
  useEffect(() => () => failing.set(null), [on.code, on.sequence]);
  return (
    <section aria-label={t`Not good`} className="flex flex-col gap-2">
      <h2 className="text-lg font-semibold">
        <Trans>Not good: what is wrong?</Trans>
      </h2>
      <Pending of={reasons} />
      <div className="grid grid-cols-2 gap-2 sm:grid-cols-3">
        {reasons.data?.map((one) => (
          <Button key={one.code} className="min-h-16 justify-between! text-lg" onClick={() => failing.set(one.code)}>
            {one.title} <ChevronRight aria-hidden className="shrink-0 text-soft" />
          </Button>
        ))}
      </div>
      {open === "?" && reasons.data && <FamilyDialog families={reasons.data} />}
      {family && (
        <ReasonDialog
          key={family.code}
          family={family}
          centre={centre}
          onClose={() => failing.set(null)}
          onChoose={(found) => {
            failing.set(null);
            press(actions.defect(found));
          }}
        />
      )}
    </section>
  );
}

/** The scrap code was scanned: the first tap happens here. */
function FamilyDialog({ families }: { families: ReasonFamily[] }) {
  const { t } = useLingui();
  return (
    <Dialog open onClose={() => failing.set(null)} title={t`Not good: what is wrong?`}>
      <div className="grid grid-cols-2 gap-2">
        {families.map((one) => (
          <Button key={one.code} className="min-h-16 text-lg" onClick={() => failing.set(one.code)}>
            {one.title}
          </Button>
        ))}
      </div>
    </Dialog>
  );
}

function ReasonDialog(props: {
  family: ReasonFamily;
  centre: string;
  onClose: () => void;
  onChoose: (found: Parameters<Actions["defect"]>[0]) => void;
}) {
  const { t } = useLingui();
  const { family } = props;
  const { who } = useStore(session);
  const concedes = may(who, "production.concede");
  const photo = usePhoto("production_order", useCentre(props.centre)?.site ?? "");
  const [quantity, setQuantity] = useState(1);
  const [chosen, setChosen] = useState<string | null>(null);
  const [more, setMore] = useState({ cause: "", position: "" });
  const allowed = CHOICES.filter((one) => concedes || !needsConcession(one));
  const reasons: Reason[] = family.reasons.length > 0 ? family.reasons : [{ ...family, step: null }];
  /** What becomes of it: as chosen, else as the reason proposes, else a supervisor decides. */
  const becomes = ({ disposition }: Reason) =>
    chosen ?? (disposition && allowed.includes(disposition) ? disposition : "hold");
  return (
    <Dialog open onClose={props.onClose} title={family.title} note={t`Tap the reason: then it is reported.`}>
      <div className="flex flex-col gap-4">
        <Amount value={quantity} onChange={setQuantity} />
        <div className="grid gap-2 sm:grid-cols-2">
          {reasons.map((one) => (
            <Button
              key={one.code}
              className="min-h-20 flex-col items-start! justify-center! py-2 text-left"
              disabled={photo.isPending}
              aria-describedby={photo.isPending ? "defect-photo" : undefined}
              onClick={() =>
                props.onChoose({
                  quantity,
                  disposition: becomes(one),
                  reason: one.code,
                  cause: more.cause.trim() || null,
                  position: more.position.trim() || null,
                  photo: photo.path,
                })
              }
            >
              <b className="text-lg">{one.title}</b>
              <span className="text-sm text-soft">
                {dispositionName(becomes(one))}: {dispositionMeaning(becomes(one))}
              </span>
            </Button>
          ))}
        </div>
        <div className="flex flex-col gap-2">
          <PhotoInput photo={photo} />
          <PhotoWait photo={photo} id="defect-photo" />
        </div>
        <fieldset>
          <legend className="mb-1 text-sm font-medium text-soft">
            <Trans>What becomes of it</Trans>
          </legend>
          <div className="flex flex-wrap gap-2">
            <Choice isOn={chosen === null} onClick={() => setChosen(null)}>
              <Trans>As the reason says</Trans>
            </Choice>
            {allowed.map((one) => (
              <Choice key={one} isOn={chosen === one} onClick={() => setChosen(one)}>
                {dispositionName(one)}
              </Choice>
            ))}
          </div>
        </fieldset>
        <div className="grid gap-2 sm:grid-cols-2">
          <Input
            label={t`Cause, if known`}
            maxLength={200}
            autoComplete="off"
            value={more.cause}
            onChange={(event) => setMore({ ...more, cause: event.target.value })}
          />
          <Input
            label={t`Where on the piece`}
            maxLength={100}
            autoComplete="off"
            value={more.position}
            onChange={(event) => setMore({ ...more, position: event.target.value })}
          />
        </div>
      </div>
    </Dialog>
  );
}

function Choice(props: { isOn: boolean; onClick: () => void; children: React.ReactNode }) {
  return (
    <Button aria-pressed={props.isOn} look={props.isOn ? "primary" : "plain"} onClick={props.onClick}>
      {props.children}
    </Button>
  );
}

function Amount({ value, onChange }: { value: number; onChange: (value: number) => void }) {
  const { t } = useLingui();
  return (
    <div className="flex items-end gap-2">
      <Button className="min-h-14" aria-label={t`One fewer`} onClick={() => onChange(Math.max(1, value - 1))}>
        <Minus aria-hidden />
      </Button>
      <div className="w-32">
        <Input
          label={t`Pieces`}
          type="number"
          inputMode="numeric"
          min={1}
          className="min-h-14 text-center text-2xl! font-bold"
          value={value}
          onChange={(event) => onChange(Math.max(1, Number(event.target.value) || 1))}
        />
      </div>
      <Button className="min-h-14" aria-label={t`One more`} onClick={() => onChange(value + 1)}>
        <Plus aria-hidden />
      </Button>
      <output className="sr-only">{formatNumber(value)}</output>
    </div>
  );
}
