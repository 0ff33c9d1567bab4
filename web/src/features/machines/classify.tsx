import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { useSiteZone } from "@/features/production/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant, formatSpan, instantOfWall } from "@/lib/time";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, TextArea } from "@/ui/field";
import { Pending } from "@/ui/states";
import { classify, order } from "./act";
import { useStopReasons } from "./queries";
import type { StopChange, StopReason, StopRow } from "./types";
import { leaves, reasonName } from "./words";

const OFFERED = 5;
const LAST = 10_000;

/** The reasons for a stop, each one tap; the others, a comment and a cut are a tap further. */
export function ReasonButtons({ stop, often }: { stop: StopRow; often: string[] }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const reasons = useStopReasons();
  const [isOpen, setOpen] = useState(false);
  if (!may(who, "stops.report")) return null;
  const all = leaves(reasons.data ?? []);
  const rank = (one: StopReason) => {
    const at = often.indexOf(one.code);
    return at >= 0 ? at : often.length + one.position + (one.parent === "planned" ? LAST : 0);
  };
  const offered = all.sort((one, other) => rank(one) - rank(other)).slice(0, OFFERED);
  return (
    <fieldset className="flex flex-wrap gap-2">
      <legend className="sr-only">{t`Why did ${stop.machine} stand?`}</legend>
      {offered.map((one) => {
        const title = reasonName(one.code, one.title);
        return (
          <Button key={one.code} onClick={() => void classify(stop, { code: one.code, title })}>
            {title}
          </Button>
        );
      })}
      <Button look="quiet" onClick={() => setOpen(true)}>
        <Trans>Another reason …</Trans>
      </Button>
      {isOpen && <ClassifyDialog stop={stop} onClose={() => setOpen(false)} />}
    </fieldset>
  );
}

/** Why it stood, in words too; or where the stop was in fact two. */
export function ClassifyDialog({ stop, onClose }: { stop: StopRow; onClose: () => void }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const reasons = useStopReasons();
  const list = leaves(reasons.data ?? []);
  const [comment, setComment] = useState(stop.comment ?? "");
  const families = [...new Set(list.map((one) => one.parent))];
  const since = stop.starts_at ? formatInstant(stop.starts_at, zone) : "";
  const give = async (one: StopReason) => {
    const title = reasonName(one.code, one.title);
    if (await classify(stop, { code: one.code, title }, comment.trim())) onClose();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={t`Why did ${stop.machine} stand?`}
      note={t`${since}, ${formatSpan(stop.seconds ?? 0)}`}
    >
      <div className="flex flex-col gap-4">
        <TextArea
          label={t`Comment, if any`}
          maxLength={2000}
          value={comment}
          onChange={(event) => setComment(event.target.value)}
        />
        <Pending of={reasons} />
        {families.map((family) => {
          const title = reasons.data?.find((one) => one.code === family)?.title ?? null;
          return (
            <fieldset key={family ?? ""} className="flex flex-wrap gap-2">
              <legend className="mb-1 text-sm text-soft">{reasonName(family, title)}</legend>
              {list
                .filter((one) => one.parent === family)
                .map((one) => (
                  <Button
                    key={one.code}
                    aria-pressed={one.code === stop.reason}
                    look={one.code === stop.reason ? "primary" : "plain"}
                    onClick={() => void give(one)}
                  >
                    {reasonName(one.code, one.title)}
                  </Button>
                ))}
            </fieldset>
          );
        })}
        <SplitForm stop={stop} reasons={list} onDone={onClose} />
      </div>
    </Dialog>
  );
}

function SplitForm(props: { stop: StopRow; reasons: StopReason[]; onDone: () => void }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const { stop } = props;
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const done = await order<StopChange>(
      "split_stop",
      {
        p_at: instantOfWall(String(form.get("at")), zone),
        p_stop_id: stop.stop_id,
        p_machine: stop.stop_id === null ? stop.machine : null,
        p_reason: String(form.get("reason") || "") || null,
        p_version: stop.version,
      } as never,
      () => t`The stop is two now.`,
    );
    if (done) props.onDone();
  }
  return (
    <details>
      <summary className="inline-flex min-h-12 cursor-pointer items-center text-soft">
        <Trans>It stood for two reasons …</Trans>
      </summary>
      <form onSubmit={send} className="flex flex-col gap-3 rounded-xl border border-line p-3">
        <Input label={t`The second one began at`} name="at" type="datetime-local" step={1} required />
        <Select label={t`Its reason`} name="reason" defaultValue="">
          <option value="">{t`The same`}</option>
          {props.reasons.map((one) => (
            <option key={one.code} value={one.code}>
              {reasonName(one.code, one.title)}
            </option>
          ))}
        </Select>
        <Button type="submit">
          <Trans>Cut it there</Trans>
        </Button>
      </form>
    </details>
  );
}
