import { Trans, useLingui } from "@lingui/react/macro";
import { usePlant } from "@/features/core/queries";
import { soundOn } from "@/lib/feedback";
import { stageName } from "@/lib/labels";
import { useStore } from "@/lib/store";
import { LinkButton } from "@/ui/button";
import { Select, Switch } from "@/ui/field";
import { Page, Panel } from "@/ui/page";
import { ScanAnswer, ScanLine } from "./answer";
import { CodeForm } from "./panel";
import { scanConsole, scanMode, station } from "./state";

/** The bench: the last scan large, the station, and how scans are taken. */
export function ScanPage() {
  const { t } = useLingui();
  const { entries } = useStore(scanConsole);
  const [newest, ...older] = entries;
  return (
    <Page title={t`Scan`} tools={<LinkButton to="/scan/check">{t`Check the scanner`}</LinkButton>}>
      <div className="grid gap-4 lg:grid-cols-[1fr_20rem]">
        <div className="flex min-w-0 flex-col gap-4">
          <div role="status" aria-live="polite">
            {newest ? (
              <ScanAnswer key={newest.n} entry={newest} />
            ) : (
              <p className="rounded-xl bg-panel p-10 text-center text-xl text-soft">
                <Trans>Ready. Scan a ticket.</Trans>
              </p>
            )}
          </div>
          <Panel className="p-0!">
            <CodeForm />
          </Panel>
          {older.length > 0 && (
            <Panel title={<Trans>Before</Trans>}>
              <ol>
                {older.slice(0, 10).map((entry) => (
                  <ScanLine key={entry.n} entry={entry} />
                ))}
              </ol>
            </Panel>
          )}
        </div>
        <Bench />
      </div>
    </Page>
  );
}

function Bench() {
  const { t } = useLingui();
  const plant = usePlant();
  const chosen = useStore(station);
  const mode = useStore(scanMode);
  const sound = useStore(soundOn);
  return (
    <Panel title={<Trans>This station</Trans>} className="self-start">
      <div className="flex flex-col gap-4">
        <Select
          label={t`Station`}
          value={chosen ?? ""}
          onChange={(event) => station.set(event.target.value || null)}
          note={t`A station with a stage takes only tickets of that stage.`}
        >
          <option value="">{t`No fixed station`}</option>
          {plant.data?.stations.map((one) => (
            <option key={one.code} value={one.code}>
              {one.stage ? `${one.name} (${stageName(one.stage)})` : one.name}
            </option>
          ))}
        </Select>
        <Switch
          label={t`Scans do the next step`}
          note={t`Off: a scan only shows the ticket.`}
          checked={mode === "work"}
          onChange={(event) => scanMode.set(event.target.checked ? "work" : "look")}
        />
        <Switch label={t`Sound`} checked={sound} onChange={(event) => soundOn.set(event.target.checked)} />
      </div>
    </Panel>
  );
}
