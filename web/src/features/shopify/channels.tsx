import { Trans, useLingui } from "@lingui/react/macro";
import { KeyRound, TriangleAlert } from "lucide-react";
import { useState } from "react";
import { useStoreName } from "@/features/core/queries";
import { useNow } from "@/features/workflows/badges";
import { formatAge, formatNumber } from "@/lib/time";
import type { ShopHealth } from "@/lib/types";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Page, Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { Inbox } from "./inbox";
import { useShops } from "./queries";
import { failure, stateLook } from "./words";

/** Is it working? Each shop, what arrived from it, and what did not get through. */
export function ChannelsPage() {
  const { t } = useLingui();
  const shops = useShops();
  const [filter, setFilter] = useState<{ store?: string | undefined; status?: string | undefined }>({});
  return (
    <Page title={t`Channels`}>
      <Pending of={shops} />
      {shops.data?.length === 0 && <Empty>{t`No shop is connected. Connect one with: takt channel`}</Empty>}
      <div className="grid gap-4 md:grid-cols-2">
        {shops.data?.map((shop) => (
          <ShopCard key={shop.store} shop={shop} onDead={() => setFilter({ store: shop.store, status: "dead" })} />
        ))}
      </div>
      <Inbox filter={filter} onFilter={setFilter} />
    </Page>
  );
}

function ShopCard({ shop, onDead }: { shop: ShopHealth; onDead: () => void }) {
  const { t } = useLingui();
  const now = useNow(5000);
  const storeName = useStoreName();
  const { tone, text } = stateLook(shop.status);
  const age = shop.last_event_at ? formatAge(now - Date.parse(shop.last_event_at)) : null;
  const facts: [string, number, string][] = [
    [t`Waiting`, Number(shop.waiting), ""],
    [t`Failed, will be tried again`, Number(shop.failed), Number(shop.failed) ? "text-warn" : ""],
    [t`Dead`, Number(shop.dead), Number(shop.dead) ? "text-bad" : ""],
  ];
  return (
    <Panel title={storeName(shop.store)} tools={<Badge tone={tone}>{text}</Badge>}>
      <p className="text-soft">{[shop.store, shop.source, shop.shop_domain].filter(Boolean).join(" · ")}</p>
      <p className="mt-2 text-lg">
        {age ? <Trans>Last event {age} ago</Trans> : <Trans>Nothing has arrived yet</Trans>}
      </p>
      {!shop.has_secret && (
        <p className="mt-2 flex items-center gap-2 text-bad">
          <KeyRound aria-hidden /> <Trans>It has no webhook secret: nothing can be accepted.</Trans>
        </p>
      )}
      <dl className="mt-3 grid grid-cols-3 gap-2">
        {facts.map(([label, value, look]) => (
          <div key={label} className="flex flex-col-reverse justify-end">
            <dt className="text-sm text-soft">{label}</dt>
            <dd className={`text-3xl font-bold ${look}`}>{formatNumber(value)}</dd>
          </div>
        ))}
      </dl>
      {shop.last_error && (
        <p className="mt-3 flex gap-2 rounded-lg bg-warn-bg p-3 text-warn">
          <TriangleAlert aria-hidden className="shrink-0" />{" "}
          <span className="min-w-0 break-words">{failure(shop.last_error)}</span>
        </p>
      )}
      {Number(shop.dead) > 0 && (
        <Button className="mt-3" onClick={onDead}>
          <Trans>Show the dead ones</Trans>
        </Button>
      )}
    </Panel>
  );
}
