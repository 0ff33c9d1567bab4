import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useZone } from "@/features/core/queries";
import { formatInstant, formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { useLedger, usePlaceName } from "./queries";
import type { Item, Movement } from "./types";
import { MOVE_KINDS, moveName } from "./words";

/** Every movement of an item, newest first: how much, who, why, for what, and what lay there afterwards. */
export function LedgerPanel({ item }: { item: Item }) {
  const { t } = useLingui();
  const placeName = usePlaceName();
  const [place, setPlace] = useState("");
  const [kind, setKind] = useState("");
  const ledger = useLedger(item.sku, place || undefined, kind || undefined);
  return (
    <Panel title={<Trans>Movements</Trans>}>
      <div className="mb-3 grid gap-3 sm:grid-cols-2">
        <Select quiet label={t`Place`} value={place} onChange={(event) => setPlace(event.target.value)}>
          <option value="">{t`All places`}</option>
          {Object.keys(item.locations).map((code) => (
            <option key={code} value={code}>
              {placeName(code)}
            </option>
          ))}
        </Select>
        <Select quiet label={t`Movement`} value={kind} onChange={(event) => setKind(event.target.value)}>
          <option value="">{t`All movements`}</option>
          {MOVE_KINDS.map((one) => (
            <option key={one} value={one}>
              {moveName(one)}
            </option>
          ))}
        </Select>
      </div>
      <Pending of={ledger} />
      {ledger.data?.length === 0 && <Empty>{t`Nothing was moved.`}</Empty>}
      <ol aria-label={t`Movements`} className="flex flex-col divide-y divide-line">
        {ledger.data?.map((move) => (
          <Row key={move.id} move={move} uom={item.uom} />
        ))}
      </ol>
      {ledger.hasNextPage && (
        <Button
          className="mt-3 w-full"
          onClick={() => void ledger.fetchNextPage()}
          disabled={ledger.isFetchingNextPage}
        >
          <Trans>Show more</Trans>
        </Button>
      )}
    </Panel>
  );
}

function Row({ move, uom }: { move: Movement; uom: string }) {
  const { t } = useLingui();
  const zone = useZone();
  const placeName = usePlaceName();
  const place = placeName(move.location);
  return (
    <li className="grid grid-cols-[minmax(0,1fr)_auto] gap-x-4 py-3">
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
        <span className="font-semibold">{moveName(move.kind)}</span>
        <span className="text-soft">{place}</span>
        <Reference move={move} />
        {move.reverses !== null && <Badge tone="warn">{t`Takes back no. ${move.reverses}`}</Badge>}
        {move.reversed_by !== null && <Badge>{t`Taken back`}</Badge>}
      </div>
      <p className={`text-right text-xl font-bold tabular-nums ${move.quantity < 0 ? "text-bad" : "text-ok"}`}>
        {move.quantity > 0 && "+"}
        {formatNumber(move.quantity)} <span className="text-sm font-normal text-soft">{uom}</span>
      </p>
      <p className="min-w-0 text-sm text-soft">
        <time dateTime={move.at}>{formatInstant(move.at, zone)}</time>
        {` · ${move.actor_name ?? t`The plant itself`}`}
        {move.reason && <span className="text-ink"> · {move.reason}</span>}
        <span className="text-soft"> · {t`no. ${move.id}`}</span>
      </p>
      <p className="text-right text-sm text-soft">
        <Trans>then {formatNumber(move.balance)} there</Trans>
      </p>
    </li>
  );
}

const LINK = "inline-flex min-h-12 items-center rounded-lg px-2 underline hover:bg-sunk";

/** What it was for, with the way there. */
function Reference({ move }: { move: Movement }) {
  const { t } = useLingui();
  const placeName = usePlaceName();
  const { ref_stream, ref_id, quantity } = move;
  if (!ref_stream || !ref_id) return null;
  if (ref_stream === "order")
    return <Link to="/orders/$id" params={{ id: ref_id }} className={LINK}>{t`Order ${ref_id}`}</Link>;
  if (ref_stream === "count")
    return <Link to="/stock/counts/$id" params={{ id: ref_id }} className={LINK}>{t`Count ${ref_id}`}</Link>;
  if (ref_stream === "import")
    return <Link to="/stock/$part" params={{ part: "import" }} className={LINK}>{t`Import ${ref_id}`}</Link>;
  if (ref_stream === "production_order")
    return (
      <Link to="/print-farm/$part" params={{ part: "orders" }} search={{ code: ref_id }} className={LINK}>
        {t`Production order ${ref_id}`}
      </Link>
    );
  if (ref_stream === "print_run")
    return (
      <Link to="/print-farm/$part" params={{ part: "prints" }} search={{ run: Number(ref_id) }} className={LINK}>
        {t`Print ${ref_id}`}
      </Link>
    );
  if (ref_stream === "location")
    return <span className="text-soft">{quantity < 0 ? `→ ${placeName(ref_id)}` : `← ${placeName(ref_id)}`}</span>;
  const names: Record<string, string> = { delivery: t`Delivery ${ref_id}`, item: t`For ${ref_id}` };
  return <span className="text-soft">{names[ref_stream] ?? `${ref_stream} ${ref_id}`}</span>;
}
