import { Trans, useLingui } from "@lingui/react/macro";
import { PackageCheck, Warehouse } from "lucide-react";
import { rememberedStore, useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { Switch } from "@/ui/field";
import { LabelButton } from "../actions";
import { Blockers, GateLights } from "../gate";
import type { UnitChange, UnitDetail } from "../types";
import { type Bench, useBench } from "./bench";
import { BenchFrame } from "./frame";

/** A scanned kit packs the unit when nothing keeps it from it. */
const atOnce = rememberedStore("takt.pack-at-once", true);

/** Scan the unit, scan its kit; the gate decides; packed. */
export function PackStation() {
  const { t } = useLingui();
  const auto = useStore(atOnce);

  const pack = (on: UnitDetail) =>
    bench.run<{ changed: boolean; next_action: string }>("finalize_pack", { p_sn: on.unit.sn }, (data) => ({
      tone: "ok",
      title: t`${on.unit.sn} is packed.`,
      text: data.next_action,
    }));
  const toStock = (on: UnitDetail) =>
    bench.run<UnitChange>("move_unit_to_stock", { p_sn: on.unit.sn }, () => ({
      tone: "ok",
      title: t`${on.unit.sn} is in stock.`,
      text: t`Scan the next unit.`,
    }));
  async function scanKit(code: string, on: UnitDetail) {
    const { sn } = on.unit;
    let fits = true;
    const tone = await bench.run<UnitChange>("scan_pack_kit", { p_sn: sn, p_kit_id: code }, (data) => {
      const [wrong] = data.notices ?? [];
      fits = !wrong;
      return wrong
        ? { tone: "bad", title: wrong.message, expected: on.gate.expected.variant?.title, actual: code }
        : { tone: "ok", title: t`Kit ${code}`, text: t`It fits. Pack it.` };
    });
    return tone === "ok" && fits && atOnce.get() ? pack(on) : tone;
  }
  const step = (on: UnitDetail) => (on.unit.status === "PACKED" ? toStock(on) : pack(on));
  const bench: Bench = useBench({ other: scanKit, ok: step });
  const { on } = bench;
  const packed = on?.unit.packed_at != null;
  const stocked = on?.unit.stocked_at != null;
  const steps = [
    { label: t`Scan the unit`, done: on !== undefined && !stocked },
    { label: t`Scan its kit`, done: on?.unit.kit_id != null },
    { label: t`Pack it`, done: packed },
    { label: t`Move it to stock`, done: stocked },
  ];
  return (
    <BenchFrame
      bench={bench}
      steps={steps}
      ok={t`Pack, then to stock`}
      aside={
        <div className="rounded-2xl border border-line bg-panel p-4">
          <Switch
            label={t`Pack as soon as the kit is scanned`}
            note={t`If nothing keeps it from being packed.`}
            checked={auto}
            onChange={(event) => atOnce.set(event.target.checked)}
          />
        </div>
      }
    >
      {on && !packed && (
        <div className="flex flex-col gap-3">
          <p className="text-lg">
            <Trans>
              Kit: <b className="font-mono">{on.unit.kit_id ?? "–"}</b>
            </Trans>{" "}
            <span className="text-soft">{kitWords(on, t`Languages`)}</span>
          </p>
          <GateLights gate={on.gate} />
          <Blockers gate={on.gate} here="pack" job={on.label?.job_id} />
        </div>
      )}
      {on && (
        <div className="mt-3 flex flex-wrap items-end gap-2">
          {!packed && (
            <Button
              look="primary"
              className="min-h-16 flex-1 text-xl"
              disabled={!on.gate.allowed}
              onClick={() => bench.press(pack)}
            >
              <PackageCheck aria-hidden /> <Trans>Pack</Trans>
            </Button>
          )}
          {on.unit.status === "PACKED" && (
            <Button look="primary" className="min-h-16 flex-1 text-xl" onClick={() => bench.press(toStock)}>
              <Warehouse aria-hidden /> <Trans>Move to stock</Trans>
            </Button>
          )}
          <LabelButton detail={on} />
        </div>
      )}
    </BenchFrame>
  );
}

function kitWords({ kit, gate }: UnitDetail, languages: string): string {
  const wanted = gate.expected.packaging_kit?.manual?.language_set ?? gate.expected.variant?.language_set;
  if (kit) return [kit.language_set, kit.variants.join(", ")].join(" · ");
  return wanted ? `${languages}: ${wanted}` : "";
}
