import { Trans, useLingui } from "@lingui/react/macro";
import { Cpu, FlaskConical, Hammer, PackageCheck, Printer, Tag, Warehouse } from "lucide-react";
import { useState } from "react";
import { print } from "@/features/printing/act";
import { station } from "@/features/workflows/scan/state";
import { refetchStreams } from "@/lib/refetch";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Button, LinkButton } from "@/ui/button";
import { unitCommand } from "./act";
import { AssignDialog, ReasonDialog, type Reasoned } from "./dialogs";
import type { UnitChange, UnitDetail, UnitStatus } from "./types";

const OPEN: UnitStatus[] = ["CREATED", "FLASHED", "TEST_PASS", "ASSEMBLED", "REWORK"];

/** What is worth offering in a state; whether it is allowed says the server. */
function offered(status: UnitStatus): Set<string> {
  const open = OPEN.includes(status);
  const all: Record<string, boolean> = {
    flash: open,
    assign: open,
    test: open && status !== "CREATED",
    assemble: open && status !== "CREATED",
    pack: open && status !== "CREATED",
    stock: status === "PACKED",
    unpack: status === "PACKED",
    rework: !["REWORK", "SCRAPPED", "ON_HOLD"].includes(status),
    hold: !["SCRAPPED", "ON_HOLD"].includes(status),
    release: status === "ON_HOLD",
    scrap: status !== "SCRAPPED",
  };
  return new Set(Object.keys(all).filter((name) => all[name]));
}

/** What may be done with the unit now, the next step first. */
export function Actions({ detail }: { detail: UnitDetail }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const [open, setOpen] = useState<"assign" | Reasoned | null>(null);
  const { unit } = detail;
  const offers = offered(unit.status);
  const shows = (name: string, permission: string) => offers.has(name) && may(who, permission);
  const stations = [
    { part: "flash", name: "flash", permission: "units.flash", label: t`Flash`, icon: Cpu },
    { part: "assembly", name: "assemble", permission: "units.assemble", label: t`Assemble`, icon: Hammer },
    { part: "test", name: "test", permission: "units.test", label: t`Test`, icon: FlaskConical },
    { part: "pack", name: "pack", permission: "units.pack", label: t`Pack`, icon: PackageCheck },
  ];
  const reasoned: [Reasoned, string, string][] = [
    ["release", "units.hold", t`Release`],
    ["rework", "units.rework", t`Send to rework`],
    ["hold", "units.hold", t`Put on hold`],
    ["unpack", "units.unpack", t`Unpack`],
    ["scrap", "units.scrap", t`Scrap`],
  ];
  const mine = reasoned.filter(([name, permission]) => shows(name, permission));
  const any = stations.some((one) => shows(one.name, one.permission)) || mine.length > 0;
  return (
    <div className="flex flex-wrap gap-2">
      {shows("stock", "units.pack") && (
        <Button look="primary" onClick={() => void toStock(unit.sn, t`${unit.sn} is in stock.`)}>
          <Warehouse aria-hidden className="size-5" /> <Trans>Move to stock</Trans>
        </Button>
      )}
      {stations
        .filter((one) => shows(one.name, one.permission))
        .map(({ part, label, icon: Icon }) => (
          <LinkButton key={part} to="/station/$part" params={{ part }} search={{ sn: unit.sn } as never}>
            <Icon aria-hidden className="size-5" /> {label}
          </LinkButton>
        ))}
      {shows("assign", "units.assign") && (
        <Button look={unit.variant_code ? "plain" : "primary"} onClick={() => setOpen("assign")}>
          <Tag aria-hidden className="size-5" />
          {unit.variant_code ? <Trans>Change the variant</Trans> : <Trans>Assign a variant</Trans>}
        </Button>
      )}
      {mine.map(([name, , label]) => (
        <Button key={name} look={name === "scrap" ? "danger" : "plain"} onClick={() => setOpen(name)}>
          {label}
        </Button>
      ))}
      {!any && (
        <p className="text-soft">
          <Trans>Your role looks at units and does not change them.</Trans>
        </p>
      )}
      {open === "assign" && <AssignDialog unit={unit} onClose={() => setOpen(null)} />}
      {open && open !== "assign" && <ReasonDialog unit={unit} what={open} onClose={() => setOpen(null)} />}
    </div>
  );
}

export function toStock(sn: string, said: string): Promise<{ data: UnitChange } | undefined> {
  return unitCommand<UnitChange>("move_unit_to_stock", { p_sn: sn }, () => said);
}

/** The device label: asked for once; after that its print job has the ways to make another. */
export function LabelButton({ detail }: { detail: UnitDetail }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const here = useStore(station);
  const { unit, variant, label } = detail;
  if (label)
    return (
      <LinkButton className="mt-3" to="/printing/jobs/$id" params={{ id: String(label.job_id) }}>
        <Printer aria-hidden className="size-5" /> {t`Its label`}
      </LinkButton>
    );
  if (!may(who, "printing.request") || unit.status === "SCRAPPED") return null;
  const data = {
    product: variant?.title ?? unit.product_code,
    variant: unit.variant_code ?? "",
    made: unit.created_at.slice(0, 10),
  };
  const given = { p_label_type: "unit_device", p_subject: unit.sn, p_data: data, p_station: here };
  return (
    <Button className="mt-3" onClick={() => void print("request_print", given).then(() => refetchStreams("unit"))}>
      <Printer aria-hidden className="size-5" /> <Trans>Print its label</Trans>
    </Button>
  );
}
