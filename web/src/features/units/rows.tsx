import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useZone } from "@/features/core/queries";
import { formatInstant, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { Empty, Pending } from "@/ui/states";
import { useVariants } from "./queries";
import type { Unit } from "./types";
import { statusName, statusTone } from "./words";

export function StatusBadge({ status }: { status: string }) {
  return <Badge tone={statusTone(status)}>{statusName(status)}</Badge>;
}

export function VariantChoice({ value, onChange }: { value: string | undefined; onChange: (code: string) => void }) {
  const { t } = useLingui();
  const variants = useVariants();
  return (
    <div className="w-52">
      <Select quiet label={t`Variant`} value={value ?? ""} onChange={(event) => onChange(event.target.value)}>
        <option value="">{t`All variants`}</option>
        {variants.data?.map((one) => (
          <option key={one.code} value={one.code}>
            {one.title}
          </option>
        ))}
      </Select>
    </div>
  );
}

interface Asked {
  isPending: boolean;
  error: unknown;
  data?: { units: Unit[]; total: number } | undefined;
  refetch: () => unknown;
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
}

/** Units, a line each, with how many there are. */
export function UnitRows({ of, empty }: { of: Asked; empty: string }) {
  if (!of.data) return <Pending of={of} />;
  const { units, total } = of.data;
  return (
    <>
      <p role="status" className="text-sm text-soft">
        <Plural value={total} one="# unit" other="# units" />
      </p>
      {units.length === 0 ? (
        <Empty>{empty}</Empty>
      ) : (
        <ul className="flex flex-col divide-y divide-line rounded-2xl border border-line bg-panel">
          {units.map((unit) => (
            <UnitRow key={unit.sn} unit={unit} />
          ))}
        </ul>
      )}
      {of.hasNextPage && (
        <Button className="self-center" disabled={of.isFetchingNextPage} onClick={() => void of.fetchNextPage()}>
          <Trans>Show more ({formatNumber(units.length)} shown)</Trans>
        </Button>
      )}
    </>
  );
}

function UnitRow({ unit }: { unit: Unit }) {
  const { t } = useLingui();
  const zone = useZone();
  const facts = [
    unit.hw_rev && t`Hardware ${unit.hw_rev}`,
    unit.fw_version && t`Firmware ${unit.fw_version}`,
    unit.box_code && t`Box ${unit.box_code}`,
    unit.shipped_at && t`Shipped`,
  ].filter(Boolean);
  return (
    <li>
      <Link
        to="/units/$sn"
        params={{ sn: unit.sn }}
        className="grid min-h-16 grid-cols-[1fr_auto] items-center gap-x-3 px-4 py-2 hover:bg-sunk md:grid-cols-[12rem_1fr_12rem_8rem]"
      >
        <span className="font-mono font-semibold">{unit.sn}</span>
        <span className="min-w-0 max-md:order-last max-md:col-span-2">
          <span className="block truncate">{unit.variant_code ?? t`No variant yet`}</span>
          <span className="block truncate text-sm text-soft">
            {unit.hold_reason ? t`On hold: ${unit.hold_reason}` : facts.join(" · ")}
          </span>
        </span>
        <span className="hidden text-sm text-soft md:block">{formatInstant(unit.updated_at, zone)}</span>
        <span className="text-right">
          <StatusBadge status={unit.status} />
        </span>
      </Link>
    </li>
  );
}
