import { Trans, useLingui } from "@lingui/react/macro";
import { Camera, CameraOff, ScanBarcode, X } from "lucide-react";
import { type FormEvent, lazy, Suspense, useRef } from "react";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";
import { ScanAnswer, ScanLine } from "./answer";
import { closeScan, scanConsole, submitScan } from "./state";

const CameraView = lazy(() => import("./camera-view"));

/** The scan console: what was read last and what came of it. Not modal: work goes on beside it. */
export function ScanPanel() {
  const { t } = useLingui();
  const { open, expected, entries } = useStore(scanConsole);
  if (!open) return null;
  const [newest, ...older] = entries;
  return (
    <aside
      aria-label={t`Scan console`}
      className="no-print fixed inset-x-0 bottom-16 z-30 flex max-h-[80dvh] flex-col overflow-y-auto rounded-t-2xl border-2
        border-accent bg-panel shadow-2xl min-[1400px]:z-50 sm:inset-x-auto sm:right-3 sm:w-[26rem] sm:rounded-2xl lg:bottom-3"
    >
      <header className="flex items-center gap-2 pl-4">
        <ScanBarcode aria-hidden className="text-accent" />
        <h2 className="mr-auto text-lg font-semibold">{expected ? t`Scan ${expected}` : t`Scan`}</h2>
        <Button look="quiet" aria-label={t`Close the scan console`} onClick={closeScan}>
          <X aria-hidden />
        </Button>
      </header>
      <div className="px-4" role="status" aria-live="polite">
        {newest ? (
          <ScanAnswer key={newest.n} entry={newest} />
        ) : (
          <p className="rounded-xl bg-sunk p-4 text-soft">
            <Trans>Scan a ticket, from anywhere. Or type its number here.</Trans>
          </p>
        )}
      </div>
      <CodeForm />
      {older.length > 0 && (
        <ol aria-label={t`Scans before`} className="border-t border-line px-4 py-2">
          {older.slice(0, 4).map((entry) => (
            <ScanLine key={entry.n} entry={entry} />
          ))}
        </ol>
      )}
    </aside>
  );
}

/** Typed codes, and the camera one tap away. */
export function CodeForm({ example = "#B18617" }: { example?: string }) {
  const { t } = useLingui();
  const { camera } = useStore(scanConsole);
  const box = useRef<HTMLInputElement>(null);
  function send(event: FormEvent) {
    event.preventDefault();
    const code = box.current?.value.trim();
    if (!code || !box.current) return;
    box.current.value = "";
    submitScan(code);
  }
  const Icon = camera ? CameraOff : Camera;
  return (
    <div className="flex flex-col gap-2 p-4">
      <form onSubmit={send} className="flex gap-2">
        <div className="min-w-0 flex-1">
          <Input
            quiet
            ref={box}
            label={t`Code`}
            placeholder={example}
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
          />
        </div>
        <Button look="primary" type="submit">
          <Trans>Go</Trans>
        </Button>
        <Button
          aria-label={camera ? t`Camera off` : t`Camera on`}
          aria-pressed={camera}
          onClick={() => scanConsole.set((old) => ({ ...old, camera: !old.camera }))}
        >
          <Icon aria-hidden />
        </Button>
      </form>
      {camera && (
        <Suspense fallback={null}>
          <CameraView />
        </Suspense>
      )}
    </div>
  );
}
