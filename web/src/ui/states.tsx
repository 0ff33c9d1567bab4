import { Trans } from "@lingui/react/macro";
import { CircleAlert, Inbox, LoaderCircle } from "lucide-react";
import type { ReactNode } from "react";
import { explain } from "@/lib/messages";
import { Button } from "./button";

export function Loading() {
  return (
    <p role="status" className="flex items-center justify-center gap-2 p-8 text-soft">
      <LoaderCircle aria-hidden className="animate-spin" />
      <Trans>Loading …</Trans>
    </p>
  );
}

export function Empty({ children }: { children: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 p-8 text-center text-soft">
      <Inbox aria-hidden />
      <p>{children}</p>
    </div>
  );
}

export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div
      role="alert"
      className="m-2 flex flex-wrap items-center gap-3 rounded-xl border border-bad bg-bad-bg p-4 text-bad"
    >
      <CircleAlert aria-hidden className="shrink-0" />
      <p className="min-w-0 flex-1">{explain(error)}</p>
      {retry && (
        <Button onClick={retry}>
          <Trans>Try again</Trans>
        </Button>
      )}
    </div>
  );
}

interface Asked {
  isPending: boolean;
  error: unknown;
  data?: unknown;
  refetch: () => unknown;
}

/** That a part of a page could not be read, where there is nothing to wait for. */
export function Trouble({ of }: { of: Asked }) {
  return of.error && of.data === undefined ? <Failed error={of.error} retry={() => void of.refetch()} /> : null;
}

/** What stands where data will be: nothing when there is data, even old data. */
export function Pending({ of }: { of: Asked }) {
  if (of.data !== undefined) return null;
  if (of.error) return <Failed error={of.error} retry={() => void of.refetch()} />;
  return of.isPending ? <Loading /> : null;
}
