import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { useSiteZone } from "@/features/production/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant } from "@/lib/time";
import { useJobTroubles, useSetAside } from "./fact-queries";
import type { SetAside } from "./fact-types";
import { jobName } from "./words";

/** What is wrong with a machine's clock, or with what the server does for it by itself; nothing when nothing is. */
export function MachineNotices({ machine }: { machine: string }) {
  const { who } = useStore(session);
  const zone = useSiteZone();
  const aside = useSetAside(machine).data;
  const troubles = useJobTroubles(machine, may(who, "audit.read")).data ?? [];
  return (
    <>
      {aside && <Clock of={aside} />}
      {troubles.map((one) => (
        <Notice key={one.id}>
          <b>
            <Trans>
              {formatInstant(one.at, zone)}: the server could not {jobName(one.payload.job)} for this machine.
            </Trans>
          </b>{" "}
          <span className="block text-sm">{one.payload.error}</span>
        </Notice>
      ))}
    </>
  );
}

function Clock({ of }: { of: SetAside }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const isState = of.kind === "state";
  const received = formatInstant(of.received_at, zone);
  const said = of.event.at ? formatInstant(of.event.at, zone) : "?";
  return (
    <Notice>
      <b>
        {of.code === "machine.time"
          ? t`The clock of this machine is ahead.`
          : t`The clock of this machine is far behind, or what it sends is too old.`}
      </b>{" "}
      <Plural
        value={of.count}
        one="# row of the last 7 days was set aside and is in no figure."
        other="# rows of the last 7 days were set aside and are in no figure."
      />{" "}
      {isState ? (
        <Trans>
          The latest is a state that came in at {received} and says {said}.
        </Trans>
      ) : (
        <Trans>
          The latest is a count that came in at {received} and says {said}.
        </Trans>
      )}{" "}
      <Trans>Set the clock right and send them again with their right time.</Trans>
    </Notice>
  );
}

function Notice({ children }: { children: ReactNode }) {
  return (
    <div role="status" className="flex items-start gap-2 rounded-xl border border-warn bg-warn-bg p-3 text-warn">
      <TriangleAlert aria-hidden className="mt-0.5 size-5 shrink-0" />
      <p className="min-w-0">{children}</p>
    </div>
  );
}
