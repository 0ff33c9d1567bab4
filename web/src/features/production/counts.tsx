import { useLingui } from "@lingui/react/macro";
import { formatNumber } from "@/lib/time";
import { cx } from "@/ui/cx";

export interface Counted {
  planned: number;
  good: number;
  scrap: number;
  returned: number;
  rework_open: number;
  held_open: number;
  waiting: number;
}

/** Where the pieces of a step are, as figures with words; those that are nought and odd are left out. */
export function Counts({ of, canStart, small }: { of: Counted; canStart?: number; small?: boolean }) {
  const { t } = useLingui();
  const [good, planned] = [formatNumber(Number(of.good)), formatNumber(Number(of.planned))];
  const facts: { name: string; value: number; text?: string; look?: string; always?: boolean }[] = [
    { name: t`Good`, value: of.good, text: t`${good} of ${planned}`, look: "text-ok", always: true },
    { name: t`In work`, value: of.waiting, always: true },
    ...(canStart === undefined ? [] : [{ name: t`Can start`, value: canStart, always: true }]),
    { name: t({ message: "Rework", context: "pieces" }), value: of.rework_open, look: "text-warn" },
    { name: t({ message: "On hold", context: "pieces" }), value: of.held_open, look: "text-warn" },
    { name: t({ message: "Scrap", context: "pieces" }), value: of.scrap, look: "text-bad" },
    { name: t({ message: "Sent back", context: "pieces" }), value: of.returned, look: "text-bad" },
  ];
  return (
    <dl className={cx("flex flex-wrap", small ? "gap-x-3 gap-y-1" : "gap-2")}>
      {facts
        .filter((one) => one.always || Number(one.value) > 0)
        .map(({ name, value, text, look }) => (
          <div key={name} className={small ? "flex gap-1" : "min-w-24 flex-1 rounded-lg bg-sunk px-3 py-1"}>
            <dt className="text-sm text-soft">{name}</dt>
            <dd className={cx(small ? "text-sm font-semibold" : "text-2xl font-bold", Number(value) > 0 && look)}>
              {text ?? formatNumber(Number(value))}
            </dd>
          </div>
        ))}
    </dl>
  );
}
