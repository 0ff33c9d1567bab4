import { Trans, useLingui } from "@lingui/react/macro";
import { formatDay, formatLocale, formatNumber } from "@/lib/time";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { UnitsFrame } from "./frame";
import { useYield } from "./queries";
import { Plots } from "./tests";
import type { YieldRow } from "./types";

const percent = (value: number) =>
  new Intl.NumberFormat(formatLocale(), { style: "percent", maximumFractionDigits: 1 }).format(value);

/** First-pass yield: how many units passed a test at the first try, per day of the plant. */
export function YieldPage() {
  const { t } = useLingui();
  const rows = useYield();
  const tests = [...new Set(rows.data?.map((one) => one.test))].sort();
  return (
    <UnitsFrame current="yield">
      <Pending of={rows} />
      {rows.data?.length === 0 && <Empty>{t`Nothing was tested in the last 30 days.`}</Empty>}
      {tests.map((test) => (
        <Panel key={test} title={<Trans>First-pass yield of “{test}”, the last 30 days</Trans>}>
          <YieldTable rows={rows.data?.filter((one) => one.test === test) ?? []} test={test} />
          <Plots test={test} variant={null} />
        </Panel>
      ))}
    </UnitsFrame>
  );
}

function YieldTable({ rows, test }: { rows: YieldRow[]; test: string }) {
  const { t } = useLingui();
  const heads = [t`Day`, t`Yield`, t`Units tested first`, t`Passed at once`, t`All runs`];
  return (
    <div className="overflow-x-auto">
      <table aria-label={t`Yield of ${test}`} className="w-full text-right tabular-nums">
        <thead>
          <tr className="text-sm text-soft">
            {heads.map((head, index) => (
              <th
                key={head}
                scope="col"
                className={index === 0 ? "py-1 pr-3 text-left font-medium" : "px-3 py-1 font-medium"}
              >
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.day} className="border-t border-line">
              <th scope="row" className="py-2 pr-3 text-left font-medium whitespace-nowrap">
                {formatDay(row.day)}
              </th>
              <td className="px-3">
                <span className="flex items-center justify-end gap-2">
                  <Bar share={row.first_pass_yield} />
                  <b>{row.first_pass_yield === null ? "–" : percent(row.first_pass_yield)}</b>
                </span>
              </td>
              <td className="px-3">{formatNumber(row.units)}</td>
              <td className="px-3">{formatNumber(row.passed)}</td>
              <td className="px-3">{formatNumber(row.runs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Bar({ share }: { share: number | null }) {
  return (
    <svg aria-hidden viewBox="0 0 100 12" className="h-3 w-24 max-sm:hidden" preserveAspectRatio="none">
      <rect width="100" height="12" className="fill-sunk" />
      <rect width={(share ?? 0) * 100} height="12" className="fill-accent" />
    </svg>
  );
}
