import { Trans, useLingui } from "@lingui/react/macro";
import { Minus, Plus } from "lucide-react";
import { useState } from "react";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";
import { REJECT_REASONS, rejectName } from "./words";

export interface Counted {
  sku: string;
  title: string;
  planned: number;
  good: number;
}

/** "7 of 8 good" for every part of a plate, with keys that a glove can hit. */
export function GoodOf({ parts, onChange }: { parts: Counted[]; onChange: (parts: Counted[]) => void }) {
  const { t } = useLingui();
  const set = (sku: string, good: number) =>
    onChange(parts.map((one) => (one.sku === sku ? { ...one, good: Math.min(Math.max(good, 0), one.planned) } : one)));
  return (
    <ul className="flex flex-col gap-3">
      {parts.map(({ sku, title, planned, good }) => (
        <li key={sku}>
          <fieldset className="flex items-center gap-2">
            <legend className="mb-1 font-medium">{title}</legend>
            <Button
              className="size-16"
              aria-label={t`One less of ${title}`}
              disabled={good <= 0}
              onClick={() => set(sku, Math.ceil(good) - 1)}
            >
              <Minus aria-hidden />
            </Button>
            <p aria-live="polite" className="min-w-0 flex-1 text-center">
              <span className="text-4xl font-bold tabular-nums">{formatNumber(good)}</span>{" "}
              <span className="text-lg text-soft">
                <Trans>of {formatNumber(planned)} good</Trans>
              </span>
            </p>
            <Button
              className="size-16"
              aria-label={t`One more of ${title}`}
              disabled={good >= planned}
              onClick={() => set(sku, Math.floor(good) + 1)}
            >
              <Plus aria-hidden />
            </Button>
          </fieldset>
        </li>
      ))}
    </ul>
  );
}

/** Why some are bad: one of the usual reasons in one tap, or own words. */
export function RejectReason({ value, onChange }: { value: string; onChange: (reason: string) => void }) {
  const { t } = useLingui();
  const [own, setOwn] = useState(false);
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 text-sm font-medium text-soft">
        <Trans>What is the matter with the others?</Trans>
      </legend>
      <div className="grid grid-cols-2 gap-2">
        {REJECT_REASONS.map((one) => (
          <Button
            key={one}
            aria-pressed={!own && value === one}
            look={!own && value === one ? "primary" : "plain"}
            onClick={() => {
              setOwn(false);
              onChange(one);
            }}
          >
            {rejectName(one)}
          </Button>
        ))}
      </div>
      <Input
        label={t`In other words`}
        maxLength={500}
        value={own ? value : ""}
        onChange={(event) => {
          setOwn(true);
          onChange(event.target.value);
        }}
      />
    </fieldset>
  );
}
