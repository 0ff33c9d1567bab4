import { Trans, useLingui } from "@lingui/react/macro";
import { CircleCheck, Printer } from "lucide-react";
import { memo } from "react";
import { Button } from "@/ui/button";
import { BarCode, QrCode } from "@/ui/codes";
import { Panel } from "@/ui/page";

/** What scanners get wrong: signs that move with the keyboard layout, spaces, capitals, long codes. */
const BARS = ["B-18617-A", "#B18617", "F 20001+1", 'Yy/Zz:"8"'];
const SQUARES = [
  "F-20002-B",
  "#F20003+2 a b",
  "~!@$%^&*()_={}|;'<>?,.",
  "LOT-2026-11-21/0000000001/Medium Vanilla/24 x",
];

/** Codes to print and scan; each gets its tick when it was read character for character. `read`: what came so far. */
export function TestSheet({ read }: { read: ReadonlySet<string> }) {
  const { t } = useLingui();
  const all = [...BARS, ...SQUARES];
  const count = all.filter((code) => read.has(code)).length;
  return (
    <Panel
      title={<Trans>Test sheet</Trans>}
      tools={
        <>
          <span role="status" className="no-print text-soft">{t`${count} of ${all.length} read exactly`}</span>
          <Button className="no-print" onClick={() => window.print()}>
            <Printer aria-hidden className="size-5" /> <Trans>Print</Trans>
          </Button>
        </>
      }
    >
      <ul className="grid gap-3 sm:grid-cols-2">
        {all.map((code) => (
          <Sample key={code} code={code} read={read.has(code)} square={SQUARES.includes(code)} />
        ))}
      </ul>
    </Panel>
  );
}

/** One code, dark on white in both themes, with its text below. */
const Sample = memo(function Sample({ code, read, square }: { code: string; read: boolean; square: boolean }) {
  const { t } = useLingui();
  return (
    <li data-sample={code} className="flex break-inside-avoid flex-col gap-2 rounded-xl bg-white p-3 text-black">
      {square ? (
        <QrCode text={code} label={t`QR code of ${code}`} className="mx-auto size-36" />
      ) : (
        <BarCode text={code} label={t`Bar code of ${code}`} className="h-20 w-full" />
      )}
      <p className="mt-auto flex min-h-6 items-center justify-center gap-2 font-mono">
        <span className="min-w-0 break-all">{code}</span>
        {read && <CircleCheck role="img" aria-label={t`Read exactly`} className="no-print shrink-0 text-[#0b6434]" />}
      </p>
    </li>
  );
});
