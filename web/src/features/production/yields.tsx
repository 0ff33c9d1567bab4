import { useLingui } from "@lingui/react/macro";
import { formatNumber } from "@/lib/time";
import type { StepQuality } from "./types";
import { percent } from "./words";

/** Per step: how much is good at the first go, and what was lost or done again. */
export function StepTable({ rows }: { rows: StepQuality[] }) {
  const { t } = useLingui();
  const most = Math.max(1, ...rows.map((one) => Number(one.scrap)));
  const heads = [
    t`First-pass yield`,
    t({ message: "Good", context: "pieces" }),
    t({ message: "Scrap", context: "pieces" }),
    t`Reworked`,
    t`Sent back`,
    t`Used as it is`,
    t`In rework now`,
    t`On hold now`,
  ];
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no pointer scrolls it by keys
    <div className="overflow-x-auto" tabIndex={0}>
      <table aria-label={t`Yield by step`} className="w-full text-right tabular-nums">
        <thead>
          <tr className="text-sm text-soft">
            <th scope="col" className="py-1 pr-3 text-left font-medium">{t`Step`}</th>
            {heads.map((head) => (
              <th key={head} scope="col" className="px-3 py-1 font-medium">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.step} className="border-t border-line">
              <th scope="row" className="py-2 pr-3 text-left font-medium">
                {row.title}
              </th>
              <td className="px-3">
                <Figure share={row.fpy} text={percent(row.fpy)} look="fill-ok" />
              </td>
              <td className="px-3">{formatNumber(Number(row.good))}</td>
              <td className="px-3">
                <Figure share={Number(row.scrap) / most} text={formatNumber(Number(row.scrap))} look="fill-bad" />
              </td>
              <td className="px-3">{formatNumber(Number(row.rework))}</td>
              <td className="px-3">{formatNumber(Number(row.returned))}</td>
              <td className="px-3">{formatNumber(Number(row.use_as_is))}</td>
              <td className="px-3">{formatNumber(Number(row.rework_open))}</td>
              <td className="px-3">{formatNumber(Number(row.held_open))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A figure with a bar beside it: the figure says it, the bar only compares. */
function Figure({ share, text, look }: { share: number | null; text: string; look: string }) {
  return (
    <span className="flex items-center justify-end gap-2">
      <svg aria-hidden viewBox="0 0 100 12" className="h-3 w-20 max-md:hidden" preserveAspectRatio="none">
        <rect width="100" height="12" className="fill-sunk" />
        <rect width={(share ?? 0) * 100} height="12" className={look} />
      </svg>
      <b>{text}</b>
    </span>
  );
}
