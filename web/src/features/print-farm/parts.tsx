import { Trans, useLingui } from "@lingui/react/macro";
import { CircleCheck, ClipboardCheck, FilePlus2, LoaderCircle, Pencil, Plus, TriangleAlert } from "lucide-react";
import { useState } from "react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { SearchBox } from "@/ui/search-box";
import { Empty, Pending } from "@/ui/states";
import { LogPrintDialog } from "./log-print";
import { MapFileDialog, type Mapped } from "./map-file";
import { PartDialog } from "./part-form";
import { useFilter, usePartDemand } from "./queries";
import type { FarmSearch } from "./search";
import type { PartDemand } from "./types";
import { WaitingPrints } from "./waiting-prints";
import { fileName, formatGrams, formatMinutes } from "./words";

/** Every printed part: what one print takes and gives, and whether its prints can book themselves. */
export function PartsPart() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const [filter, set] = useFilter();
  const { q } = filter;
  const parts = usePartDemand({ q, short: filter.show === "short" });
  const [edited, setEdited] = useState<string | null | undefined>();
  const [logged, setLogged] = useState<PartDemand | null>(null);
  const [mapped, setMapped] = useState<Mapped | null>(null);
  const shown = parts.data?.filter((part) => filter.show !== "missing" || part.files.length === 0);
  return (
    <>
      <WaitingPrints onMap={setMapped} />
      <Panel
        title={<Trans>Parts</Trans>}
        tools={
          may(who, "farm.manage") && (
            <Button look="primary" onClick={() => setEdited(null)}>
              <Plus aria-hidden className="size-5" /> <Trans>New part</Trans>
            </Button>
          )
        }
      >
        <search className="mb-2 flex flex-wrap gap-2">
          <SearchBox
            label={t`Search parts`}
            placeholder={t`Name, SKU, colour …`}
            value={q ?? ""}
            onChange={(text) => set({ q: text || undefined })}
          />
          <Select
            quiet
            label={t`Show`}
            value={filter.show ?? ""}
            onChange={(event) => set({ show: (event.target.value || undefined) as FarmSearch["show"] })}
          >
            <option value="">{t`All parts`}</option>
            <option value="short">{t`Short ones`}</option>
            <option value="missing">{t`Without a file`}</option>
          </Select>
        </search>
        <Pending of={parts} />
        {shown?.length === 0 && <Empty>{t`No such parts.`}</Empty>}
        <ul className="flex flex-col divide-y divide-line">
          {shown?.map((part) => (
            <PartItem
              key={part.sku}
              part={part}
              onEdit={() => setEdited(part.sku)}
              onLog={() => setLogged(part)}
              onMap={() => setMapped({ name: "", plate: null, sku: part.sku, quantity: part.parts_per_print })}
              onFile={(name, plate) => setMapped({ name, plate })}
            />
          ))}
        </ul>
        {parts.hasNextPage && (
          <Button className="mt-3 w-full" onClick={() => void parts.fetchNextPage()}>
            <Trans>Show more</Trans>
          </Button>
        )}
      </Panel>
      {edited !== undefined && <PartDialog sku={edited} onClose={() => setEdited(undefined)} />}
      {logged && <LogPrintDialog part={logged} onClose={() => setLogged(null)} />}
      {mapped && <MapFileDialog start={mapped} onClose={() => setMapped(null)} />}
    </>
  );
}

function MappingBadge({ part }: { part: PartDemand }) {
  return part.files.length > 0 ? (
    <Badge tone="ok" icon={<CircleCheck aria-hidden />}>
      <Trans>Configured</Trans>
    </Badge>
  ) : (
    <Badge tone="warn" icon={<TriangleAlert aria-hidden />}>
      <Trans>File missing</Trans>
    </Badge>
  );
}

function PartItem(props: {
  part: PartDemand;
  onEdit: () => void;
  onMap: () => void;
  onLog: () => void;
  onFile: (name: string, plate: number | null) => void;
}) {
  const { t } = useLingui();
  const { part } = props;
  const { who } = useStore(session);
  const isManager = may(who, "farm.manage");
  return (
    <li
      aria-label={part.title}
      className="grid items-center gap-x-4 gap-y-2 py-3 lg:grid-cols-[minmax(0,1fr)_auto_auto]"
    >
      <div className="min-w-0">
        <p className="flex flex-wrap items-center gap-2">
          <span className="text-lg font-semibold">{part.title}</span>
          <MappingBadge part={part} />
          {part.printing_now > 0 && (
            <Badge tone="accent" icon={<LoaderCircle aria-hidden />}>
              <Trans>Printing now: {part.printing_now}</Trans>
            </Badge>
          )}
        </p>
        <p className="text-sm text-soft">
          {[part.sku, part.color, part.material].filter(Boolean).join(" · ")} ·{" "}
          <Trans>
            {formatNumber(part.parts_per_print)} per print, {formatMinutes(part.print_minutes)}
          </Trans>
          {part.prints_required > 0 && (
            <>
              {" · "}
              <Trans>
                short {formatNumber(part.deficit)}: prints {part.prints_required}, {formatGrams(part.grams_required)}
              </Trans>
            </>
          )}
        </p>
        <ul className="flex flex-wrap gap-x-3 text-sm">
          {part.files.map(({ gcode_filename, plate, quantity }) => {
            const words = `${fileName(gcode_filename, plate)} × ${formatNumber(quantity)}`;
            return (
              <li key={`${gcode_filename}-${plate}`} className="min-w-0 max-w-full">
                {isManager ? (
                  <button
                    type="button"
                    className="min-h-12 max-w-full rounded-lg px-1 text-left underline [overflow-wrap:anywhere] hover:bg-sunk"
                    onClick={() => props.onFile(gcode_filename, plate)}
                  >
                    {words}
                  </button>
                ) : (
                  <span className="[overflow-wrap:anywhere]">{words}</span>
                )}
              </li>
            );
          })}
        </ul>
      </div>
      <dl className="flex gap-6 lg:text-right">
        <Figure label={t`On hand`} value={part.available} />
        <Figure label={t`Promised`} value={part.reserved} />
        <Figure label={t`Minimum`} value={part.min_stock ?? 0} />
      </dl>
      <div className="flex flex-wrap gap-2">
        {may(who, "farm.log") && (
          <Button onClick={props.onLog} aria-label={t`Log print: ${part.title}`}>
            <ClipboardCheck aria-hidden className="size-5" /> <Trans>Log print</Trans>
          </Button>
        )}
        {isManager && (
          <>
            <Button onClick={props.onMap} aria-label={t`Map a file to ${part.title}`}>
              <FilePlus2 aria-hidden className="size-5" /> <Trans>Map a file</Trans>
            </Button>
            <Button onClick={props.onEdit} aria-label={t`Edit ${part.title}`}>
              <Pencil aria-hidden className="size-5" /> <Trans>Edit</Trans>
            </Button>
          </>
        )}
      </div>
    </li>
  );
}

function Figure({ label, value }: { label: string; value: number | null }) {
  const { t } = useLingui();
  return (
    <div className="flex flex-col-reverse justify-end">
      <dt className="text-sm text-soft">{label}</dt>
      <dd className="text-lg font-semibold tabular-nums">{value === null ? t`being counted` : formatNumber(value)}</dd>
    </div>
  );
}
