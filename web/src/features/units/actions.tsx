import { Trans, useLingui } from "@lingui/react/macro";
import { Cpu, FlaskConical, Hammer, PackageCheck, Printer, Tag, Warehouse } from "lucide-react";
import { useState } from "react";
import { print } from "@/features/printing/act";
import { station } from "@/features/workflows/scan/state";
import { refetchStreams } from "@/lib/refetch";
import { useStore } from "@/lib/store";
import { Button, LinkButton } from "@/ui/button";
import { unitCommand } from "./act";
import { AssignDialog, ReasonDialog, type Reasoned } from "./dialogs";
import type { UnitChange, UnitDetail } from "./types";

/** What may be done with the unit now, the next step first. */
export function Actions({ detail }: { detail: UnitDetail }) {
  const { t } = useLingui();
  const [open, setOpen] = useState<"assign" | Reasoned | null>(null);
  const { unit } = detail;
  const shows = (name: string) => detail.actions.includes(name);
  const stations = [
    { part: "flash", name: "flash", label: t`Flash`, icon: Cpu },
    { part: "assembly", name: "assemble", label: t`Assemble`, icon: Hammer },
    { part: "test", name: "test", label: t`Test`, icon: FlaskConical },
    { part: "pack", name: "pack", label: t`Pack`, icon: PackageCheck },
  ];
  const reasoned: [Reasoned, string][] = [
    ["release", t`Release`],
    ["rework", t`Send to rework`],
    ["hold", t`Put on hold`],
    ["unpack", t`Unpack`],
    ["scrap", t`Scrap`],
  ];
  const mine = reasoned.filter(([name]) => shows(name));
  const any = stations.some((one) => shows(one.name)) || mine.length > 0 || shows("stock") || shows("assign");
  return (
    <div className="flex flex-wrap gap-2">
      {shows("stock") && (
        <Button look="primary" onClick={() => void toStock(unit.sn, t`${unit.sn} is in stock.`)}>
          <Warehouse aria-hidden className="size-5" /> <Trans>Move to stock</Trans>
        </Button>
      )}
      {stations
        .filter((one) => shows(one.name))
        .map(({ part, label, icon: Icon }) => (
          <LinkButton key={part} to="/station/$part" params={{ part }} search={{ sn: unit.sn } as never}>
            <Icon aria-hidden className="size-5" /> {label}
          </LinkButton>
        ))}
      {shows("assign") && (
        <Button look={unit.variant_code ? "plain" : "primary"} onClick={() => setOpen("assign")}>
          <Tag aria-hidden className="size-5" />
          {unit.variant_code ? <Trans>Change the variant</Trans> : <Trans>Assign a variant</Trans>}
        </Button>
      )}
      {mine.map(([name, label]) => (
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
  const here = useStore(station);
  const { unit, label } = detail;
  if (label)
    return (
      <LinkButton className="mt-3" to="/printing/jobs/$id" params={{ id: String(label.job_id) }}>
        <Printer aria-hidden className="size-5" /> {t`Its label`}
      </LinkButton>
    );
  if (!detail.actions.includes("label")) return null;
  const given = { p_sn: unit.sn, p_station: here };
  return (
    <Button className="mt-3" onClick={() => void print("print_unit_label", given).then(() => refetchStreams("unit"))}>
      <Printer aria-hidden className="size-5" /> <Trans>Print its label</Trans>
    </Button>
  );
}
