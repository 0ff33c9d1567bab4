import { Trans, useLingui } from "@lingui/react/macro";
import { usePlant } from "@/features/core/queries";
import { useLines } from "@/features/maintenance/queries";
import { chosenSite, useSite } from "@/features/production/queries";
import { percent } from "@/features/production/words";
import { useSetting } from "@/features/settings/queries";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Bar } from "@/ui/charts/bar";
import { DataRow, DataTable } from "@/ui/charts/table";
import { Trend } from "@/ui/charts/trend";
import { ExportButtons } from "@/ui/export-buttons";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { type Scope, type Span, useAndon, useFilter, useOee } from "./queries";
import { type MachineSearch, OEE_BY } from "./search";
import type { OeeRow } from "./types";
import { factorName } from "./words";

const BY_TIME = ["day", "shift", "hour"];

/** The same figure, cut by site, line, machine, time or product; a row leads further down. */
export function Drill({ scope: asked, span }: { scope: Scope; span: Span }) {
  const { t } = useLingui();
  const [filter, set] = useFilter();
  const { data: plant } = usePlant();
  const hasSites = (plant?.sites.length ?? 0) > 1 && !filter.line && !filter.machine;
  const by = filter.by ?? (filter.machine ? "day" : "machine");
  const scope = by === "site" ? { ...asked, p_site: null } : asked; // side by side
  const names = {
    site: t`By site`,
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
            {OEE_BY.filter((one) => one !== "site" || hasSites).map((one) => (
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
          <ExportButtons what="oee" query={queryOf(scope, span, by)} />
        </>
      }
    >
      <Rows scope={scope} span={span} by={by} />
      {by === "item" && (
        <p className="mt-2 text-sm text-soft">
          <Trans>
            Time belongs to the product that comes out next, so what set the machine up for it too; pieces belong to
            their own product. Together the products are the machine.
          </Trans>
        </p>
      )}
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

/** What the address becomes when one goes down into a row, in the end to its facts; null where it goes no further. */
export function deeper(by: string, { key, starts_at, ends_at }: OeeRow): MachineSearch | null {
  if (by === "site") return { by: "line" };
  if (by === "line") return key === "-" ? null : { line: key, by: "machine" };
  if (by === "machine") return { machine: key, by: "day" };
  if (by === "day") return { from: key, to: key, by: "shift", since: undefined, until: undefined };
  if (by === "item") return { facts: "count", item: key, since: undefined, until: undefined };
  return { facts: "all", item: undefined, since: starts_at, until: ends_at };
}

function Rows({ scope, span, by }: { scope: Scope; span: Span; by: string }) {
  const { t } = useLingui();
  const [, set] = useFilter();
  const oee = useOee(scope, span, by);
  const target = useTarget();
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
    t`Rework`,
  ];
  return (
    <>
      <Pending of={oee} />
      {rows.length > 1 && BY_TIME.includes(by) && (
        <Trend
          label={t`OEE over time. The table below says each.`}
          max={Math.max(1, ...rows.map((one) => one.ratios.oee ?? 0))}
          goal={target}
          goalText={percent(target)}
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
            <OeeLine
              key={one.key}
              row={one}
              by={by}
              target={target}
              onDeeper={(change) => {
                if (by === "site") chosenSite.set(one.key);
                set(change);
              }}
            />
          ))}
        </DataTable>
      )}
    </>
  );
}

/** What the site aims at, as a share; null until it is known. */
function useTarget(): number | null {
  const percents = useSetting<number | null>({ site: useSite() ?? undefined }, "kpi.target_percent", null);
  return percents === null ? null : percents / 100;
}

/** A day without its year, an hour without its zone: there is little room below a chart. */
const shortKey = (by: string, key: string) => (by === "hour" ? key.slice(11, 16) : key.slice(5));

/** What a row is called: machines and lines have names, times are their own. */
function useNames(by: string): (key: string) => string {
  const { t } = useLingui();
  const site = useSite();
  const machines = useAndon({ site });
  const lines = useLines(site);
  const { data: plant } = usePlant();
  return (key) => {
    if (by === "site") return plant?.sites.find((one) => one.code === key)?.name ?? key;
    if (key === "-") return by === "item" ? t`No product said` : t`Without a line`;
    if (by === "line") return lines.data?.find(({ line }) => line.code === key)?.line.title ?? key;
    return (by === "machine" && machines.data?.find((one) => one.machine === key)?.name) || key;
  };
}

interface OeeLineProps {
  row: OeeRow;
  by: string;
  target: number | null;
  onDeeper: (change: MachineSearch) => void;
}

function OeeLine({ row, by, target, onDeeper }: OeeLineProps) {
  const next = deeper(by, row);
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
        <Bar key="bar" className="min-w-28" max={1} mark={target} parts={[{ value: ratios.oee ?? 0, look: "good" }]} />,
        <b key="oee">{percent(ratios.oee)}</b>,
        percent(ratios.availability),
        percent(ratios.performance),
        percent(ratios.quality),
        formatNumber(inputs.good),
        formatNumber(inputs.scrap),
        formatNumber(inputs.rework),
      ]}
    />
  );
}
