import { Trans, useLingui } from "@lingui/react/macro";
import { CircleCheck, OctagonX } from "lucide-react";
import { LinkButton } from "@/ui/button";
import { cx } from "@/ui/cx";
import type { Blocker, Gate } from "./types";

const LIGHTS: [string, RegExp][] = [
  ["variant", /^(UNIT_NOT_ASSIGNED|VARIANT_)/],
  ["test", /^(NO_TEST_RUN|TEST_)/],
  ["hardware", /^(HW_|FW_)/],
  ["parts", /^COMPONENT_/],
  ["kit", /^(PACK_KIT_|KIT_|MANUAL_)/],
  ["label", /^DEVICE_LABEL_/],
  ["hold", /^UNIT_ON_HOLD/],
];

/** One light for each thing that the gate looks at: go or stop, in colour, shape and words. */
export function GateLights({ gate }: { gate: Gate }) {
  const { t } = useLingui();
  const names: Record<string, string> = {
    variant: t`Variant`,
    test: t`Tests`,
    hardware: t`Hardware and firmware`,
    parts: t`Parts`,
    kit: t`Kit and manual`,
    label: t`Label`,
    hold: t`Not on hold`,
  };
  return (
    <ul aria-label={t`Lights of the gate`} className="grid grid-cols-[repeat(auto-fit,minmax(9.5rem,1fr))] gap-2">
      {LIGHTS.map(([key, codes]) => {
        const stops = gate.blockers.some((one) => codes.test(one.code));
        const Icon = stops ? OctagonX : CircleCheck;
        return (
          <li
            key={key}
            className={cx(
              "flex min-h-14 items-center gap-2 rounded-lg border-2 px-3 py-1 leading-tight",
              stops ? "border-bad bg-bad-bg text-bad" : "border-ok bg-ok-bg text-ok",
            )}
          >
            <Icon aria-hidden className="size-6 shrink-0" />
            <span>
              <span className="block text-sm">{names[key]}</span>
              <span className="block font-bold">{stops ? <Trans>Stop</Trans> : <Trans>OK</Trans>}</span>
            </span>
          </li>
        );
      })}
    </ul>
  );
}

/** Everything that keeps the unit from being packed, each with what to do; or that nothing does. */
export function Blockers({ gate, here, job }: { gate: Gate; here?: string; job?: number | undefined }) {
  const { t } = useLingui();
  if (gate.allowed)
    return (
      <p className="flex items-center gap-3 rounded-xl bg-ok-bg p-4 text-lg font-bold text-ok">
        <CircleCheck aria-hidden className="size-8 shrink-0" /> <Trans>Nothing keeps it from being packed.</Trans>
      </p>
    );
  return (
    <ul aria-label={t`What keeps it from being packed`} className="flex flex-col gap-2">
      {gate.blockers.map((one) => (
        <li
          key={one.code}
          data-blocker={one.code}
          className="flex flex-wrap items-center gap-3 rounded-xl border-l-8 border-bad bg-bad-bg p-3"
        >
          <OctagonX aria-hidden className="size-7 shrink-0 text-bad" />
          <div className="min-w-0 flex-1 basis-56">
            <p className="font-bold text-bad">{one.message}</p>
            <p className="text-ink">{one.next_action}</p>
          </div>
          {one.target.page !== here && <WayThere blocker={one} variant={gate.expected.variant?.code} job={job} />}
        </li>
      ))}
    </ul>
  );
}

function WayThere({
  blocker,
  variant,
  job,
}: {
  blocker: Blocker;
  variant: string | undefined;
  job: number | undefined;
}) {
  const { page, sn } = blocker.target;
  const stations: Record<string, string> = { flash: "flash", test: "test", assemble: "assembly", pack: "pack" };
  const part = stations[page];
  const words: Record<string, React.ReactNode> = {
    flash: <Trans>To the flash station</Trans>,
    test: <Trans>To the test station</Trans>,
    assembly: <Trans>To the assembly station</Trans>,
    pack: <Trans>To the pack station</Trans>,
  };
  if (part)
    return (
      <LinkButton to="/station/$part" params={{ part }} search={{ sn } as never}>
        {words[part]}
      </LinkButton>
    );
  if (page === "variants")
    return (
      <LinkButton to="/variants" search={{ variant } as never}>
        <Trans>To the variant</Trans>
      </LinkButton>
    );
  if (page === "printing" && job !== undefined)
    return (
      <LinkButton to="/printing/jobs/$id" params={{ id: String(job) }}>
        <Trans>To its label</Trans>
      </LinkButton>
    );
  return (
    <LinkButton to="/units/$sn" params={{ sn }}>
      <Trans>To the unit</Trans>
    </LinkButton>
  );
}
