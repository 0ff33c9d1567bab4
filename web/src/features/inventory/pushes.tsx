import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { RotateCcw } from "lucide-react";
import { useStoreName, useZone } from "@/features/core/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { giveStock } from "./act";
import { usePushes } from "./queries";
import type { Push } from "./types";
import { pushState, pushTone } from "./words";

/** What each shop was told about items that ran out. */
export function PushesPart() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const pushes = usePushes();
  const open = pushes.data?.some((push) => push.is_out && push.state !== "pushed");
  const tools = open && may(who, "channels.manage") && (
    <Button onClick={() => void giveStock("retry_stock_pushes", {}, t`The shops are told again.`)}>
      <RotateCcw aria-hidden className="size-5" /> <Trans>Try again</Trans>
    </Button>
  );
  return (
    <Panel title={<Trans>What the shops were told</Trans>} tools={tools}>
      <p className="mb-3 text-soft">
        <Trans>
          When an item runs out, every shop is told to sell no more of it. What is back in stock a person puts on sale
          again in the shop.
        </Trans>
      </p>
      <Pending of={pushes} />
      {pushes.data?.length === 0 && <Empty>{t`Nothing has run out yet.`}</Empty>}
      <ul aria-label={t`What the shops were told`} className="flex flex-col divide-y divide-line">
        {pushes.data?.map((push) => (
          <PushRow key={`${push.store} ${push.sku}`} push={push} />
        ))}
      </ul>
    </Panel>
  );
}

function PushRow({ push }: { push: Push }) {
  const { t } = useLingui();
  const storeName = useStoreName();
  const zone = useZone(push.store);
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-1 py-2">
      <Link
        to="/stock/item"
        search={{ sku: push.sku }}
        className="flex min-h-12 items-center rounded-lg px-2 font-mono underline hover:bg-sunk"
      >
        {push.sku}
      </Link>
      <span className="min-w-56 flex-1">
        {storeName(push.store)}
        <span className="block text-sm text-soft">
          <Trans>Ran out {formatInstant(push.queued_at, zone)}</Trans>
          {push.pushed_at && push.state === "pushed" && (
            <>
              {" · "}
              <Trans>told {formatInstant(push.pushed_at, zone)}</Trans>
            </>
          )}
          {push.last_error && <span className="text-bad"> · {push.last_error}</span>}
        </span>
      </span>
      {!push.is_out && <Badge>{t`Back in stock`}</Badge>}
      <Badge tone={pushTone(push.state)}>{pushState(push.state)}</Badge>
    </li>
  );
}
