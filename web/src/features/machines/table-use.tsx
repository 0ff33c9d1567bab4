import { useLingui } from "@lingui/react/macro";
import { percent } from "@/features/production/words";
import { formatDay, formatNumber } from "@/lib/time";
import { Bar } from "@/ui/charts/bar";
import { DataRow, DataTable } from "@/ui/charts/table";
import { Panel } from "@/ui/page";
import { Trouble } from "@/ui/states";
import { type Span, useTableUse } from "./queries";

const SHOWN = 40;

/** How full tables and presses were, shift by shift; nothing where none held a piece. */
export function TableUse({ site, span }: { site: string | null; span: Span }) {
  const { t } = useLingui();
  const use = useTableUse(site, span);
  const rows = (use.data ?? []).filter((one) => (one.occupied ?? 0) > 0).slice(-SHOWN);
  if (rows.length === 0) return <Trouble of={use} />;
  return (
    <Panel title={t`How full the tables were`}>
      <DataTable
        label={t`How full the tables were`}
        heads={[t`Work centre`, t`Shift`, "", t`Positions held`, t`Positions`, t`Use`]}
        className="max-h-96 overflow-y-auto"
      >
        {[...rows].reverse().map((one) => (
          <DataRow
            key={`${one.work_centre} ${one.starts_at}`}
            name={one.work_centre}
            cells={[
              `${formatDay(one.shift_date)}, ${one.shift}`,
              <Bar
                key="bar"
                className="min-w-28"
                max={1}
                parts={[{ value: Math.min(1, one.utilisation ?? 0), look: "good" }]}
              />,
              formatNumber(Math.round((one.occupied ?? 0) * 10) / 10),
              formatNumber(one.capacity),
              <b key="use">{percent(one.utilisation)}</b>,
            ]}
          />
        ))}
      </DataTable>
    </Panel>
  );
}
