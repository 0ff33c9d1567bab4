import { Trans, useLingui } from "@lingui/react/macro";
import { useLines } from "@/features/maintenance/queries";
import { useSite } from "@/features/production/queries";
import { percent } from "@/features/production/words";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Bar } from "@/ui/charts/bar";
import { DataRow, DataTable } from "@/ui/charts/table";
import { Trend } from "@/ui/charts/trend";
import { ExportButtons } from "@/ui/export-buttons";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { type Scope, type Span, useAndon, useByItem, useFilter, useOee } from "./queries";
import { type MachineSearch, OEE_BY } from "./search";
import type { OeeRow } from "./types";
import { factorName } from "./words";

const BY_TIME = ["day", "shift", "hour"];
const TARGET = 0.85;

/** The same figure, cut by line, machine, time or product; a row leads further down. */
export function Drill({ scope, span }: { scope: Scope; span: Span }) {
  const { t } = useLingui();
  const [filter, set] = useFilter();
  const by = filter.by ?? (filter.machine ? "day" : "machine");
  const names = {
    line: t`By line`,
    machine: t`By machine`,
    day: t`By day`,
    shift: t`By shift`,
    hour: t`By hour`,
    item: t`By product`,
  };
  return (
    <Panel
      title={names[by]}
      tools={
        <>
          <fieldset className="flex flex-wrap gap-1 rounded-xl bg-sunk p-1">
            <legend className="sr-only">{t`Cut it by`}</legend>
            {OEE_BY.map((one) => (
              <Button
                key={one}
                look={by === one ? "plain" : "quiet"}
                aria-pressed={by === one}
                onClick={() => set({ by: one })}
              >
                {names[one]}
              </Button>
            ))}
          </fieldset>
          {by !== "item" && <ExportButtons what="oee" query={queryOf(scope, span, by)} />}
        </>
      }
    >
      {by === "item" ? <Items scope={scope} span={span} /> : <Rows scope={scope} span={span} by={by} />}
    </Panel>
  );
}

const queryOf = (scope: Scope, span: Span, by: string) => ({
  machine: scope.p_machine,
  line: scope.p_line,
  work_centre: scope.p_work_centre,
  site: scope.p_site,
  from: span.p_from,
  to: span.p_to,
  by,
});

/** What the address becomes when one goes down into a row; null where it goes no further. */
export function deeper(by: string, key: string): MachineSearch | null {
  if (by === "line" && key !== "-") return { line: key, by: "machine" };
  if (by === "machine") return { machine: key, by: "day" };
  if (by === "day") return { from: key, to: key, by: "shift" };
  return null;
}

function Rows({ scope, span, by }: { scope: Scope; span: Span; by: string }) {
  const { t } = useLingui();
  const [, set] = useFilter();
  const oee = useOee(scope, span, by);
  const rows = oee.data?.filter((one) => one.inputs.planned_s > 0 || one.inputs.total > 0) ?? [];
  if (oee.data && rows.length === 0) return <Empty>{t`No planned time in these days.`}</Empty>;
  const heads = [
    t`What`,
    "",
    "OEE",
    factorName("availability"),
    factorName("performance"),
    factorName("quality"),
    t`Good`,
    t`Scrap`,
  ];
  return (
    <>
      <Pending of={oee} />
      {rows.length > 1 && BY_TIME.includes(by) && (
        <Trend
          label={t`OEE over time. The table below says each.`}
          max={Math.max(1, ...rows.map((one) => one.ratios.oee ?? 0))}
          goal={TARGET}
          goalText={percent(TARGET)}
          points={rows.map((one) => ({
            key: shortKey(by, one.key),
            value: one.ratios.oee,
            text: percent(one.ratios.oee),
          }))}
        />
      )}
      {rows.length > 0 && (
        <DataTable label={t`OEE`} heads={heads} className="max-h-[40rem] overflow-y-auto">
          {rows.map((one) => (
            <OeeLine key={one.key} row={one} by={by} onDeeper={set} />
          ))}
        </DataTable>
      )}
    </>
  );
}

/** A day without its year, an hour without its zone: there is little room below a chart. */
const shortKey = (by: string, key: string) => (by === "hour" ? key.slice(11, 16) : key.slice(5));

/** What a row is called: machines and lines have names, times are their own. */
function useNames(by: string): (key: string) => string {
  const { t } = useLingui();
  const site = useSite();
  const machines = useAndon({ site });
  const lines = useLines(site);
  return (key) => {
    if (key === "-") return t`Without a line`;
    if (by === "line") return lines.data?.find(({ line }) => line.code === key)?.line.title ?? key;
    return (by === "machine" && machines.data?.find((one) => one.machine === key)?.name) || key;
  };
}

function OeeLine({ row, by, onDeeper }: { row: OeeRow; by: string; onDeeper: (change: MachineSearch) => void }) {
  const next = deeper(by, row.key);
  const nameOf = useNames(by);
  const name = nameOf(row.key);
  const { ratios, inputs } = row;
  return (
    <DataRow
      name={
        next ? (
          <Button look="quiet" className="underline" onClick={() => onDeeper(next)}>
            {name}
          </Button>
        ) : (
          <span className="whitespace-nowrap">{name}</span>
        )
      }
      cells={[
        <Bar key="bar" className="min-w-28" max={1} mark={TARGET} parts={[{ value: ratios.oee ?? 0, look: "good" }]} />,
        <b key="oee">{percent(ratios.oee)}</b>,
        percent(ratios.availability),
        percent(ratios.performance),
        percent(ratios.quality),
        formatNumber(inputs.good),
        formatNumber(inputs.scrap),
      ]}
    />
  );
}

/** Time is not booked by product, pieces are: so products have their quality and their quantities. */
function Items({ scope, span }: { scope: Scope; span: Span }) {
  const { t } = useLingui();
  const items = useByItem(scope, span, true);
  const rows = items.data?.by_item ?? [];
  return (
    <>
      <Pending of={items} />
      {items.data && rows.length === 0 && <Empty>{t`Nothing was counted in these days.`}</Empty>}
      {rows.length > 0 && (
        <DataTable
          label={t`By product`}
          heads={[t`Product`, "", t`Good at the first go`, t`Pieces`, t`Good`, t`Scrap`, t`Rework`]}
        >
          {rows.map((one) => (
            <DataRow
              key={one.sku ?? ""}
              name={one.sku ?? t`No product said`}
              cells={[
                <Bar
                  key="bar"
                  className="min-w-28"
                  max={one.total}
                  parts={[
                    { value: one.good, look: "good" },
                    { value: one.rework, look: "quality" },
                    { value: one.scrap, look: "stop" },
                  ]}
                />,
                <b key="share">{percent(one.first_pass_yield)}</b>,
                formatNumber(one.total),
                formatNumber(one.good),
                formatNumber(one.scrap),
                formatNumber(one.rework),
              ]}
            />
          ))}
        </DataTable>
      )}
      <p className="mt-2 text-sm text-soft">
        <Trans>
          Time belongs to machines, pieces to products: a product has its quality here, not an OEE of its own.
        </Trans>
      </p>
    </>
  );
}
