import { type ComponentProps, type ReactNode, useId } from "react";
import { cx } from "./cx";

const BOX = "min-h-12 w-full rounded-lg border border-edge bg-panel px-3 text-base text-ink placeholder:text-soft";

interface Frame {
  label: ReactNode;
  /** Hide the label from the eye, not from a screen reader. */
  quiet?: boolean;
  note?: ReactNode;
  error?: ReactNode;
}

function Framed({ frame, id, children }: { frame: Frame; id: string; children: ReactNode }) {
  return (
    <div className="flex min-w-0 flex-col gap-1">
      <label htmlFor={id} className={frame.quiet ? "sr-only" : "text-sm font-medium text-soft"}>
        {frame.label}
      </label>
      {children}
      {frame.note && <p className="text-sm text-soft">{frame.note}</p>}
      {frame.error && (
        <p role="alert" className="text-sm font-medium text-bad">
          {frame.error}
        </p>
      )}
    </div>
  );
}

export function Input({ label, quiet, note, error, className, ...rest }: ComponentProps<"input"> & Frame) {
  const own = useId();
  const id = rest.id ?? own;
  return (
    <Framed id={id} frame={{ label, quiet, note, error }}>
      <input className={cx(BOX, className)} aria-invalid={error ? true : undefined} {...rest} id={id} />
    </Framed>
  );
}

export function TextArea({ label, quiet, note, error, className, ...rest }: ComponentProps<"textarea"> & Frame) {
  const id = useId();
  return (
    <Framed id={id} frame={{ label, quiet, note, error }}>
      <textarea id={id} rows={3} className={cx(BOX, "py-2", className)} {...rest} />
    </Framed>
  );
}

export function Select({ label, quiet, note, error, className, ...rest }: ComponentProps<"select"> & Frame) {
  const id = useId();
  return (
    <Framed id={id} frame={{ label, quiet, note, error }}>
      <select id={id} className={cx(BOX, className)} {...rest} />
    </Framed>
  );
}

export function Switch({
  label,
  note,
  ...rest
}: Omit<ComponentProps<"input">, "type"> & Pick<Frame, "label" | "note">) {
  return (
    <label className="flex min-h-12 cursor-pointer items-center gap-3">
      <input type="checkbox" className="size-6 shrink-0 accent-(--accent)" {...rest} />
      <span>
        {label}
        {note && <span className="block text-sm text-soft">{note}</span>}
      </span>
    </label>
  );
}
