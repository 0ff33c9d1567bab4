import { Trans, useLingui } from "@lingui/react/macro";
import { CircleX, Cpu } from "lucide-react";
import { rememberedStore, useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";
import { Panel } from "@/ui/page";
import type { UnitChange, UnitDetail } from "../types";
import { firmwareWords } from "../words";
import { type Bench, useBench } from "./bench";
import { BenchFrame } from "./frame";

interface Firmware {
  version: string;
  hash: string;
  hardware: string;
}
/** What is flashed at this bench, until somebody changes it. */
const flashed = rememberedStore<Firmware>("takt.flash", { version: "", hash: "", hardware: "" });

/** Scan a unit, flash it, say whether it worked. */
export function FlashStation() {
  const { t } = useLingui();
  const record = (isOk: boolean) => (on: UnitDetail) => {
    const { version, hash, hardware } = flashed.get();
    const read = { p_fw_version: version || null, p_fw_build_hash: hash || null, p_hw_rev: hardware || null };
    return bench.run<UnitChange>("record_flash", { p_sn: on.unit.sn, p_ok: isOk, ...read }, (data) => ({
      tone: isOk ? "ok" : "ask",
      title: isOk ? t`${on.unit.sn} is flashed.` : t`${on.unit.sn}: noted that it could not be flashed.`,
      text: isOk ? data.next_action : t`Try again, or send it to rework.`,
    }));
  };
  const bench: Bench = useBench({ ok: record(true), fail: record(false) });
  const { on } = bench;
  const isFlashed = on?.unit.status === "FLASHED";
  return (
    <BenchFrame
      bench={bench}
      steps={[
        { label: t`Scan the unit`, done: on !== undefined && !isFlashed },
        { label: t`Flash it and say how it went`, done: isFlashed },
      ]}
      ok={t`Flashed`}
      fail={t`Could not be flashed`}
      aside={<FirmwareForm />}
    >
      {on && (
        <>
          <Wanted on={on} />
          <div className="mt-3 flex flex-wrap gap-2">
            <Button look="primary" className="min-h-16 flex-1 text-xl" onClick={() => bench.press(record(true))}>
              <Cpu aria-hidden /> <Trans>Flashed</Trans>
            </Button>
            <Button look="danger" className="min-h-16 flex-1 text-xl" onClick={() => bench.press(record(false))}>
              <CircleX aria-hidden /> <Trans>Could not be flashed</Trans>
            </Button>
          </div>
        </>
      )}
    </BenchFrame>
  );
}

/** What the rules ask for beside what is known. */
function Wanted({ on }: { on: UnitDetail }) {
  const { t } = useLingui();
  const { unit, gate } = on;
  const firmware = firmwareWords(gate.expected.firmware_policy);
  const rows = [
    [t`Firmware`, firmware.length > 0 ? firmware.join(", ") : t`any`, unit.fw_version],
    [t`Hardware`, gate.expected.hw_revs?.length ? gate.expected.hw_revs.join(", ") : t`any`, unit.hw_rev],
  ];
  return (
    <table className="w-full text-left">
      <thead>
        <tr className="text-sm text-soft">
          <th scope="col" className="font-medium">
            <span className="sr-only">{t`What`}</span>
          </th>
          <th scope="col" className="font-medium">{t`Must be`}</th>
          <th scope="col" className="font-medium">{t`Is, as last read`}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, wanted, is]) => (
          <tr key={name} className="border-t border-line">
            <th scope="row" className="py-2 font-medium">
              {name}
            </th>
            <td className="py-2 font-mono">{wanted}</td>
            <td className="py-2 font-mono">{is ?? t`not known`}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function FirmwareForm() {
  const { t } = useLingui();
  const now = useStore(flashed);
  const set = (change: Partial<Firmware>) => flashed.set((old) => ({ ...old, ...change }));
  return (
    <Panel title={<Trans>What this bench flashes</Trans>}>
      <div className="flex flex-col gap-3">
        <Input
          label={t`Firmware version`}
          value={now.version}
          maxLength={100}
          autoComplete="off"
          onChange={(event) => set({ version: event.target.value })}
        />
        <Input
          label={t`Build hash`}
          value={now.hash}
          maxLength={128}
          autoComplete="off"
          onChange={(event) => set({ hash: event.target.value })}
        />
        <Input
          label={t`Hardware revision`}
          note={t`Empty fields leave what is known of the unit.`}
          value={now.hardware}
          maxLength={60}
          autoComplete="off"
          onChange={(event) => set({ hardware: event.target.value })}
        />
      </div>
    </Panel>
  );
}
