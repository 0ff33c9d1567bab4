import { Trans, useLingui } from "@lingui/react/macro";
import { X } from "lucide-react";
import { useSiteZone } from "@/features/production/queries";
import { formatInstant, formatNumber, formatSpan, formatTime } from "@/lib/time";
import { Button } from "@/ui/button";
import { Swatch } from "@/ui/charts/key";
import { DataRow, DataTable } from "@/ui/charts/table";
import { Panel } from "@/ui/page";
import { Empty, Failed, Pending } from "@/ui/states";
import { MachineChoice } from "./choices";
import { useFacts } from "./fact-queries";
import type { Fact } from "./fact-types";
import { type Span, useFilter } from "./queries";
import { FACT_KINDS } from "./search";
import { lookOf, lossName, reasonName, stateName } from "./words";

const KINDS = ["all", ...FACT_KINDS] as const;

/** From a figure to what it was made of: stops, counts and states of a machine, as they came in. */
export function Facts({ span }: { span: Span }) {
  const { t } = useLingui();
  const [filter, set] = useFilter();
  const { machine, item, facts: kind } = filter;
  const names = { all: t`All`, stop: t`Stops`, count: t`Counts`, state: t`States` };
  return (
    <Panel
      title={t`What it was made of`}
      tools={
        // Of one product there are only counts.
        item === undefined && (
          <fieldset className="flex flex-wrap gap-1 rounded-xl bg-sunk p-1">
            <legend className="sr-only">{t`Only`}</legend>
            {KINDS.map((one) => (
              <Button
                key={one}
                look={kind === one ? "plain" : "quiet"}
                aria-pressed={kind === one}
                onClick={() => set({ facts: one })}
              >
                {names[one]}
              </Button>
            ))}
          </fieldset>
        )
      }
    >
      <Narrowed />
      {machine ? (
        <List machine={machine} span={span} />
      ) : (
        <div className="flex flex-wrap items-end gap-3">
          <MachineChoice all />
          <p className="text-soft">{t`Facts are of one machine. Choose which.`}</p>
        </div>
      )}
    </Panel>
  );
}

/** Of what part these facts are, each with a way back to all. */
function Narrowed() {
  const { t } = useLingui();
  const zone = useSiteZone();
  const [{ item, since, until }, set] = useFilter();
  const product = item === "-" ? t`No product said` : item;
  return (
    <div className="mb-2 flex flex-wrap gap-2 empty:hidden">
      {item !== undefined && (
        <Button onClick={() => set({ item: undefined, facts: "all" })}>
          {product} <X aria-hidden className="size-5" />
          <span className="sr-only">{t`All products`}</span>
        </Button>
      )}
      {since && until && (
        <Button onClick={() => set({ since: undefined, until: undefined })}>
          {formatInstant(since, zone)} – {formatTime(until, zone)} <X aria-hidden className="size-5" />
          <span className="sr-only">{t`All of the days`}</span>
        </Button>
      )}
    </div>
  );
}

function List({ machine, span }: { machine: string; span: Span }) {
  const { t } = useLingui();
  const [{ item, facts: kind, since, until }] = useFilter();
  const facts = useFacts({
    p_machine: machine,
    p_from: since ?? span.p_from,
    p_to: until ?? span.p_to,
    p_kind: item !== undefined ? "count" : kind === "all" ? null : (kind ?? null),
    p_sku: item ?? null,
  });
  const heads = [t`What`, t`Time`, t`Good`, t`Scrap`, t`Rework`, t`By`, t`Came in`];
  return (
    <>
      <Pending of={facts} />
      {facts.data?.length === 0 && <Empty>{t`Nothing came in of this time.`}</Empty>}
      {facts.data && facts.data.length > 0 && (
        <DataTable label={t`Facts`} heads={heads} className="max-h-[40rem] overflow-y-auto">
          {facts.data.map((one) => (
            <Line key={`${one.at} ${one.kind} ${one.key}`} of={one} />
          ))}
        </DataTable>
      )}
      {facts.isFetchNextPageError && <Failed error={facts.error} />}
      {facts.hasNextPage && (
        <Button className="mt-2" disabled={facts.isFetchingNextPage} onClick={() => void facts.fetchNextPage()}>
          <Trans>Show more ({formatNumber(facts.data?.length ?? 0)} shown)</Trans>
        </Button>
      )}
    </>
  );
}

const pieces = (quantity: number | null) => (quantity === null ? "" : formatNumber(quantity));

function Line({ of }: { of: Fact }) {
  const { t } = useLingui();
  const zone = useSiteZone();
  const until = of.ends_at ? ` – ${formatTime(of.ends_at, zone)}` : "";
  return (
    <DataRow
      name={
        <>
          <What of={of} />{" "}
          <span className="block text-sm font-normal text-soft">
            {formatInstant(of.at, zone)}
            {until} {of.comment}
          </span>
        </>
      }
      cells={[
        of.lost_s === null ? "" : formatSpan(of.lost_s),
        pieces(of.good),
        pieces(of.scrap),
        pieces(of.rework),
        of.by_name ?? (of.source === "signal" ? t`the machine` : ""),
        of.recorded_at && formatInstant(of.recorded_at, zone),
      ]}
    />
  );
}

function What({ of }: { of: Fact }) {
  const { t } = useLingui();
  if (of.kind === "state") return stateName(of.state);
  if (of.kind === "count") {
    const notes = [
      of.order,
      of.reason && reasonName(of.reason, of.title),
      of.reverses !== null && t`takes an earlier count back`,
      of.is_planned === false && t`out of planned time`,
    ];
    return (
      <>
        {of.sku ?? t`No product said`}{" "}
        <span className="font-normal text-soft">{notes.filter(Boolean).join(" · ")}</span>
      </>
    );
  }
  // The key begins with what kind of time it is.
  const time = { kind: of.key.split("/")[0] ?? "stop", time_class: of.time_class, reason: of.reason, title: of.title };
  return (
    <span className="inline-flex items-center gap-2">
      <Swatch look={lookOf({ ...time, policy: of.policy ?? "" })} /> {lossName(time)}
    </span>
  );
}
