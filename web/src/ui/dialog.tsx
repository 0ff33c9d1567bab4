import { useLingui } from "@lingui/react/macro";
import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";

/** A modal sheet with its title; Escape and the cross close it. `open` is up to the caller. */
export function Dialog(props: {
  title: ReactNode;
  note?: ReactNode;
  open: boolean;
  onClose: () => void;
  children: ReactNode;
}) {
  const { t } = useLingui();
  return (
    <Radix.Root open={props.open} onOpenChange={(open) => !open && props.onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-black/60" />
        <Radix.Content
          className="fixed inset-x-0 bottom-0 z-50 flex max-h-[92dvh] flex-col rounded-t-2xl bg-panel text-ink shadow-2xl
            sm:inset-x-auto sm:top-1/2 sm:bottom-auto sm:left-1/2 sm:w-[34rem] sm:max-w-[94vw] sm:-translate-x-1/2
            sm:-translate-y-1/2 sm:rounded-2xl"
          {...(props.note ? {} : { "aria-describedby": undefined })}
        >
          <header className="flex items-start gap-3 border-b border-line p-4 pb-3">
            <div className="min-w-0 flex-1 pt-2">
              <Radix.Title className="text-xl font-semibold">{props.title}</Radix.Title>
              {props.note && <Radix.Description className="mt-1 text-soft">{props.note}</Radix.Description>}
            </div>
            <Radix.Close
              aria-label={t`Close`}
              className="inline-flex size-12 shrink-0 items-center justify-center rounded-lg hover:bg-sunk"
            >
              <X aria-hidden />
            </Radix.Close>
          </header>
          <div className="overflow-y-auto p-4">{props.children}</div>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
