import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { formatAge, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { useOpenRecords, useProcessSteps } from "./queries";
import { dispositionName } from "./words";

/** Rework in process, and what is on hold: newest first, each with its order. */
export function OpenPieces({ site }: { site: string | null }) {
  const { t } = useLingui();
  const records = useOpenRecords({ p_site: site });
  const steps = useProcessSteps();
  const stepTitle = (code: string) => steps.data?.find((one) => one.code === code)?.title ?? code;
  return (
    <Panel title={<Trans>In rework or on hold now</Trans>}>
      <Pending of={records} />
      {records.data?.length === 0 && <Empty>{t`Nothing is in rework or on hold.`}</Empty>}
      <ul className="flex flex-col divide-y divide-line">
        {records.data?.map(({ record, code, product_sku, reason_title, recorded_by_name }) => (
          <li key={record.id}>
            <Link
              to="/production/orders/$code"
              params={{ code }}
              className="flex min-h-14 flex-wrap items-center gap-x-3 py-2 hover:bg-sunk"
            >
              <Badge tone="warn">
                {dispositionName(record.disposition)}: {formatNumber(Number(record.open_quantity))}
              </Badge>
              <b className="font-mono">{code}</b>
              <span className="min-w-0 flex-1 basis-52">
                {[product_sku, stepTitle(record.step), reason_title ?? record.reason, record.defect_position]
                  .filter(Boolean)
                  .join(" · ")}
              </span>
              <span className="text-sm text-soft">
                {[recorded_by_name, formatAge(Date.now() - Date.parse(record.recorded_at))].filter(Boolean).join(" · ")}
              </span>
            </Link>
          </li>
        ))}
      </ul>
      {records.hasNextPage && (
        <Button disabled={records.isFetchingNextPage} onClick={() => void records.fetchNextPage()}>
          <Trans>Show more</Trans>
        </Button>
      )}
    </Panel>
  );
}
