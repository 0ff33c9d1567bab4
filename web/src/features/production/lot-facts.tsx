import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { CircleAlert, CircleCheck } from "lucide-react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";
import { PhotoOnDemand } from "@/ui/photo";
import { Trouble } from "@/ui/states";
import { undoActivity } from "./lot-act";
import type { LotActivity, LotDetail, LotPart, Mass } from "./lot-types";
import { activityName } from "./lot-words";
import { useRecords, useSiteZone } from "./queries";
import type { QualityRecord } from "./types";
import { dispositionName } from "./words";

/** What came is what went and what is left: both sides, and whether they are the same. */
export function MassBalance({ mass }: { mass: Mass }) {
  const { t } = useLingui();
  if (!mass.is_counted)
    return (
      <Panel title={<Trans>How much there is</Trans>}>
        <p className="text-soft">
          <Trans>It was never counted: it may be used, and nobody knows how much is left.</Trans>
        </p>
      </Panel>
    );
  const came: [string, number][] = [
    [t({ message: "Received or started", context: "pieces of a lot" }), mass.received],
    [t`From other lots`, mass.moved_in],
  ];
  const went: [string, number][] = [
    [t({ message: "Used", context: "pieces of a lot" }), mass.used],
    [t`To other lots`, mass.moved_out],
    [t({ message: "Scrap", context: "pieces" }), mass.scrapped],
    [t({ message: "Sent back", context: "pieces" }), mass.returned],
  ];
  const parts: [string, number][] = [
    [t({ message: "Finished", context: "pieces of a lot" }), mass.finished],
    [t({ message: "In process", context: "pieces of a lot" }), mass.in_process],
    [t`In units`, mass.in_units],
  ];
  return (
    <Panel
      title={<Trans>How much there is</Trans>}
      tools={
        mass.is_balanced ? (
          <Badge tone="ok" icon={<CircleCheck aria-hidden />}>
            <Trans>It adds up</Trans>
          </Badge>
        ) : (
          <Badge tone="bad" icon={<CircleAlert aria-hidden />}>
            <Trans>It does not add up</Trans>
          </Badge>
        )
      }
    >
      <dl className="grid gap-x-6 sm:grid-cols-3">
        <Column title={t({ message: "Came", context: "into a lot" })} facts={came} />
        <Column title={t({ message: "Went", context: "out of a lot" })} facts={went} />
        <Column title={t`Is left`} total={Number(mass.remaining)} facts={parts.filter(([, n]) => Number(n) > 0)} />
      </dl>
    </Panel>
  );
}

function Column({ title, total, facts }: { title: string; total?: number; facts: [string, number][] }) {
  const sum = total ?? facts.reduce((all, [, value]) => all + Number(value), 0);
  return (
    <div className="flex flex-col">
      <dt className="text-sm text-soft">{title}</dt>
      <dd className="text-3xl font-bold">{formatNumber(sum)}</dd>
      {facts.map(([name, value]) => (
        <dd key={name} className="flex justify-between gap-4 text-sm">
          <span className="text-soft">{name}</span> {formatNumber(Number(value))}
        </dd>
      ))}
    </div>
  );
}

/** What was done with it, newest first; what is the last word may be taken back. */
export function LotActivities({ detail }: { detail: LotDetail }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const zone = useSiteZone();
  if (detail.activities.length === 0) return null;
  return (
    <Panel title={<Trans>What was done with it</Trans>}>
      <ol aria-label={t`What was done with it`} className="flex flex-col divide-y divide-line">
        {detail.activities.map((one) => (
          <li key={one.id} className="flex min-h-14 flex-wrap items-center gap-x-3 gap-y-1 py-2">
            <div className="min-w-0 flex-1 basis-60">
              <p className="font-medium">
                {activityName(one.kind)}
                {one.is_reversal && (
                  <span className="font-normal text-warn">
                    {" "}
                    <Trans>(taken back)</Trans>
                  </span>
                )}
              </p>
              <Way of={one} />
              <p className="text-sm text-soft">
                {[formatInstant(one.at, zone), one.order, one.note].filter(Boolean).join(" · ")}
              </p>
            </div>
            {one.can_undo && may(who, "production.lots") && (
              <Button aria-label={t`Take back: ${activityName(one.kind)}`} onClick={() => void undoActivity(one.id)}>
                <Trans>Take back</Trans>
              </Button>
            )}
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function Way({ of: { inputs, outputs } }: { of: LotActivity }) {
  return (
    <p className="flex flex-wrap items-center gap-x-2">
      <Parts of={inputs} />
      {inputs.length > 0 && outputs.length > 0 && <span aria-hidden>→</span>}
      <Parts of={outputs} />
    </p>
  );
}

function Parts({ of }: { of: LotPart[] }) {
  return of.map((one) => (
    <span key={`${one.sku} ${one.lot}`}>
      {Number(one.quantity) > 0 && `${formatNumber(Number(one.quantity))} × `}
      <Link
        to="/production/lots/$code"
        params={{ code: one.lot }}
        search={{ sku: one.sku } as never}
        className="inline-flex min-h-12 items-center font-mono underline"
      >
        {one.lot}
      </Link>
    </span>
  ));
}

/** Pieces of a lot that were not good. */
export function LotQuality({ records, titles }: { records: QualityRecord[]; titles: LotDetail["reason_titles"] }) {
  return <NotGood of={records.map((record) => ({ record, reason_title: titles?.[record.reason ?? ""] }))} />;
}

/** Pieces of an order that were not good, newest first. */
export function OrderQuality({ code }: { code: string }) {
  const records = useRecords({ p_code: code });
  return (
    <>
      <Trouble of={records} />
      <NotGood of={records.data ?? []} />
      {records.hasNextPage && (
        <Button disabled={records.isFetchingNextPage} onClick={() => void records.fetchNextPage()}>
          <Trans>Show more</Trans>
        </Button>
      )}
    </>
  );
}

function NotGood({ of }: { of: { record: QualityRecord; reason_title?: string | null }[] }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  if (of.length === 0) return null;
  return (
    <Panel title={<Trans>Not good</Trans>}>
      <ul aria-label={t`Not good`} className="flex flex-col divide-y divide-line">
        {of.map(({ record: one, reason_title }) => (
          <li key={one.id} className="flex flex-wrap items-center gap-x-3 py-2">
            <div className="min-w-0 flex-1 basis-52">
              <p className="font-medium">
                {formatNumber(Number(one.quantity))} × {dispositionName(one.disposition)}{" "}
                <span className="font-normal text-soft">
                  {[reason_title ?? one.reason, one.cause, one.defect_position].filter(Boolean).join(" · ")}
                </span>
              </p>
              <p className="text-sm text-soft">{formatInstant(one.recorded_at, zone)}</p>
            </div>
            {one.photo && <PhotoOnDemand path={one.photo} alt={t`What was not good`} />}
          </li>
        ))}
      </ul>
    </Panel>
  );
}
