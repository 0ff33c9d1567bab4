import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useState } from "react";
import { WEDGE_DEFAULTS } from "@/lib/scan/machine";
import { captureWedge } from "@/lib/scan/wedge";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";
import { Page, Panel } from "@/ui/page";
import { TestSheet } from "./test-sheet";

interface Check {
  /** Newest first. */
  codes: { n: number; code: string }[];
  cut: number;
}

const visible = (code: string) => code.replaceAll("\x1d", "<GS>").replaceAll(" ", "␣");

/** Shows what a scanner sends, character for character, and does nothing with it. */
export function ScanCheckPage() {
  const { t } = useLingui();
  const [seen, setSeen] = useState<Check>({ codes: [], cut: 0 });
  const [note, setNote] = useState("");
  const [gap, setGap] = useState<number | null>(null);
  useEffect(() => {
    const stop = captureWedge({
      onScan: (code) => setSeen((old) => ({ ...old, codes: [{ n: old.codes.length, code }, ...old.codes] })),
      onCut: () => setSeen((old) => ({ ...old, cut: old.cut + 1 })),
      onKey: () => undefined,
    });
    let last = 0;
    const measure = (event: KeyboardEvent) => {
      const passed = event.timeStamp - last;
      last = event.timeStamp;
      if (passed < 300) setGap((old) => (old === null ? passed : old * 0.8 + passed * 0.2));
    };
    window.addEventListener("keydown", measure, true);
    return () => {
      stop();
      window.removeEventListener("keydown", measure, true);
    };
  }, []);
  const speed = gap === null ? "–" : `${Math.round(gap)} ms`;
  return (
    <Page
      title={t`Check the scanner`}
      tools={<Button className="no-print" onClick={() => setSeen({ codes: [], cut: 0 })}>{t`Clear`}</Button>}
    >
      <Panel className="no-print">
        <p>
          <Trans>
            Scan a few codes, also while you type in the field below. Each must appear exactly as it is printed, and the
            field must keep only what you typed. The scanner must end a code with Enter or Tab.
          </Trans>
        </p>
        <div className="mt-3 max-w-md">
          <Input label={t`Type here`} value={note} onChange={(event) => setNote(event.target.value)} />
        </div>
        <p className="mt-3 flex flex-wrap gap-2">
          <Badge tone="info">
            <span data-testid="scans">{t`Codes: ${seen.codes.length}`}</span>
          </Badge>
          <Badge tone={seen.cut ? "bad" : "plain"}>{t`Cut off: ${seen.cut}`}</Badge>
          <Badge>{t`Time between keys: ${speed}`}</Badge>
          <Badge>{t`Taken as a scanner below ${WEDGE_DEFAULTS.keyGapMs} ms`}</Badge>
        </p>
      </Panel>
      <div className="grid items-start gap-4 lg:grid-cols-[1fr_22rem] print:block">
        <TestSheet read={new Set(seen.codes.map(({ code }) => code))} />
        <Panel className="no-print" title={<Trans>Codes, newest first</Trans>}>
          {seen.codes.length === 0 && (
            <p className="text-soft">
              <Trans>Nothing has been scanned yet.</Trans>
            </p>
          )}
          <ol data-testid="codes" className="flex flex-col font-mono">
            {seen.codes.map(({ n, code }) => (
              <li key={n} data-code={code} className="border-b border-line py-1 break-all">
                {visible(code)}
              </li>
            ))}
          </ol>
        </Panel>
      </div>
    </Page>
  );
}
