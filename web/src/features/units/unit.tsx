import { Trans, useLingui } from "@lingui/react/macro";
import { Link, useParams } from "@tanstack/react-router";
import { useZone } from "@/features/core/queries";
import { stateName } from "@/features/printing/words";
import { formatInstant } from "@/lib/time";
import { LinkButton } from "@/ui/button";
import { History } from "@/ui/history";
import { Page, Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { useUnitScan } from "./act";
import { Actions, LabelButton } from "./actions";
import { Blockers, GateLights } from "./gate";
import { Genealogy } from "./genealogy";
import { Parts } from "./parts";
import { useUnit } from "./queries";
import { StatusBadge } from "./rows";
import { Tests } from "./tests";
import type { UnitDetail } from "./types";
import { eventFacts, eventName } from "./words";

/** One unit: how it stands, what keeps it from being packed, what it measured, what it is made of. */
export function UnitPage() {
  const { t } = useLingui();
  const { sn } = useParams({ strict: false }) as { sn: string };
  const detail = useUnit(sn);
  useUnitScan();
  return (
    <Page
      title={<span className="font-mono">{detail.data?.unit.sn ?? sn}</span>}
      tools={<LinkButton to="/units">{t`All units`}</LinkButton>}
    >
      <Pending of={detail} />
      {detail.data && <Detail detail={detail.data} />}
    </Page>
  );
}

function Detail({ detail }: { detail: UnitDetail }) {
  const { unit, gate, label } = detail;
  const isOpen = unit.packed_at === null && unit.status !== "SCRAPPED";
  return (
    <div className="grid gap-4 xl:grid-cols-[1fr_24rem]">
      <div className="flex min-w-0 flex-col gap-4">
        <Panel>
          <div className="mb-3 flex flex-wrap items-center gap-3">
            <StatusBadge status={unit.status} />
            <p className="text-lg font-semibold">{detail.next_action}</p>
          </div>
          <Actions detail={detail} />
        </Panel>
        {isOpen && (
          <Panel title={<Trans>May it be packed?</Trans>}>
            <div className="flex flex-col gap-3">
              <GateLights gate={gate} />
              <Blockers gate={gate} here="unit" job={label?.job_id} />
            </div>
          </Panel>
        )}
        <Tests detail={detail} />
        <Parts unit={unit} />
        <Genealogy detail={detail} />
      </div>
      <div className="flex min-w-0 flex-col gap-4">
        <Panel title={<Trans>Facts</Trans>}>
          <Facts detail={detail} />
          <LabelButton detail={detail} />
        </Panel>
        <History events={detail.events} zone={useZone()} name={eventName} facts={eventFacts} />
      </div>
    </div>
  );
}

function Facts({ detail }: { detail: UnitDetail }) {
  const { t } = useLingui();
  const zone = useZone();
  const { unit, variant, box, kit, label } = detail;
  const at = (instant: string | null) => instant && formatInstant(instant, zone);
  const facts: [string, React.ReactNode][] = [
    [t`Variant`, variant && `${variant.title} (${variant.code})`],
    [t`Hardware`, unit.hw_rev],
    [t`Firmware`, unit.fw_version],
    [t`Build of the firmware`, unit.fw_build_hash && <span className="font-mono break-all">{unit.fw_build_hash}</span>],
    [t`Kit`, unit.kit_id && (kit ? `${unit.kit_id} (${kit.language_set})` : unit.kit_id)],
    [t`Label`, label ? stateName(label.state) : t`Never asked for`],
    [t({ message: "Box", context: "carton" }), box && [box.code, box.parent].filter(Boolean).join(", ")],
    [
      t`Production order`,
      detail.production_order && (
        <Link to="/print-farm/orders" search={{ code: detail.production_order } as never} className="underline">
          {detail.production_order}
        </Link>
      ),
    ],
    [t`Made`, at(unit.created_at)],
    [t`Assembled`, at(unit.assembled_at)],
    [t`Packed`, at(unit.packed_at)],
    [t`In stock`, unit.stocked_at && [at(unit.stocked_at), unit.stock_location].filter(Boolean).join(", ")],
    [t`Shipped`, at(unit.shipped_at)],
    [t`Scrapped`, at(unit.scrapped_at)],
  ];
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
      {facts
        .filter(([, value]) => value)
        .map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="text-soft">{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
