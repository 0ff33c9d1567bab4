import { useLingui } from "@lingui/react/macro";
import { CircleAlert, CircleCheck, Clock, X } from "lucide-react";
import { useEffect, useState } from "react";
import { createStore, useStore } from "@/lib/store";
import { Button } from "./button";
import { cx } from "./cx";

interface Toast {
  n: number;
  tone: "ok" | "bad" | "wait";
  text: string;
  action?: { label: string; run: () => void } | undefined;
}

const toasts = createStore<Toast[]>([]);
let count = 0;
const STAYS_MS = 10_000;

/** Shows a message for 10 s (longer while it is pointed at or has the focus); at most three at a time. */
export function toast(tone: Toast["tone"], text: string, action?: Toast["action"]): void {
  count += 1;
  const fresh = { n: count, tone, text, action };
  toasts.set((old) => [...old, fresh].slice(-3));
}

const close = (n: number) => toasts.set((old) => old.filter((one) => one.n !== n));
const ICONS = { ok: CircleCheck, bad: CircleAlert, wait: Clock };
const COLOURS = { ok: "border-ok text-ok", bad: "border-bad text-bad", wait: "border-warn text-warn" };

function One({ one }: { one: Toast }) {
  const { t } = useLingui();
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (held) return;
    const timer = setTimeout(() => close(one.n), STAYS_MS);
    return () => clearTimeout(timer);
  }, [held, one.n]);
  const Icon = ICONS[one.tone];
  return (
    <li
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
      className={cx(
        "pointer-events-auto flex items-center gap-2 rounded-xl border-2 bg-panel p-2 pl-3 shadow-xl",
        COLOURS[one.tone],
      )}
    >
      <Icon aria-hidden className="shrink-0" />
      <span className="min-w-0 flex-1 text-ink">{one.text}</span>
      {one.action && (
        <Button
          look="plain"
          onClick={() => {
            close(one.n);
            one.action?.run();
          }}
        >
          {one.action.label}
        </Button>
      )}
      <Button look="quiet" className="px-0" aria-label={t`Close`} onClick={() => close(one.n)}>
        <X aria-hidden />
      </Button>
    </li>
  );
}

export function Toasts() {
  const list = useStore(toasts);
  return (
    <ul
      aria-live="polite"
      className="no-print pointer-events-none fixed inset-x-2 bottom-20 z-50 mx-auto flex max-w-lg flex-col gap-2 lg:bottom-4"
    >
      {list.map((one) => (
        <One key={one.n} one={one} />
      ))}
    </ul>
  );
}
