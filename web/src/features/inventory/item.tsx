import { Trans, useLingui } from "@lingui/react/macro";
import { Link, useSearch } from "@tanstack/react-router";
import { Pencil } from "lucide-react";
import { useState } from "react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button, LinkButton } from "@/ui/button";
import { Page, Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { ItemDialog } from "./item-form";
import { LedgerPanel } from "./ledger";
import { type Move, MoveDialog, useMoveWords } from "./move";
import { useItem, usePlaceName, useRequirements } from "./queries";
import { RequirementsPanel } from "./requirements";
import { useItemScan } from "./scan";
import type { Item } from "./types";
import { kindName, stateName, stateTone } from "./words";

/** One item: what is there and where, what can be done with it, every movement, what it is made of. */
export function ItemPage() {
  const { t } = useLingui();
  const { sku = "" } = useSearch({ strict: false }) as { sku?: string };
  const item = useItem(sku);
  useItemScan();
  return (
    <Page
      title={item.data?.title ?? sku}
      tools={<LinkButton to="/stock/$part" params={{ part: "items" }}>{t`All items`}</LinkButton>}
    >
      <Pending of={item} />
      {item.data && <Detail key={item.data.sku} item={item.data} />}
    </Page>
  );
}

function Detail({ item }: { item: Item }) {
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_24rem]">
      <div className="flex min-w-0 flex-col gap-4">
        <Stock item={item} />
        <LedgerPanel item={item} />
      </div>
      <div className="flex min-w-0 flex-col gap-4">
        <Places item={item} />
        <Facts item={item} />
        <RequirementsPanel item={item} />
      </div>
    </div>
  );
}

function Stock({ item }: { item: Item }) {
  const { t } = useLingui();
  const figures: [string, number, string][] = [
    [t`On hand`, item.on_hand, item.on_hand < 0 ? "text-bad" : ""],
    [t`Promised`, item.reserved, ""],
    [t`Available`, item.ats, item.ats < 0 ? "text-bad" : ""],
    [t`In progress or held`, item.held, ""],
    [t`Minimum`, item.min_stock, ""],
  ];
  return (
    <Panel
      title={<span className="font-mono">{item.sku}</span>}
      tools={
        <>
          {!item.is_active && <Badge>{t`Not in use`}</Badge>}
          <Badge tone={stateTone(item.state)}>{stateName(item.state)}</Badge>
        </>
      }
    >
      {item.is_stocked && (
        <dl className="grid grid-cols-2 gap-3 sm:grid-cols-5">
          {figures.map(([label, value, look]) => (
            <div key={label} className="flex flex-col-reverse justify-end">
              <dt className="text-sm text-soft">{label}</dt>
              <dd className={`text-3xl font-bold ${look}`}>{formatNumber(value)}</dd>
            </div>
          ))}
        </dl>
      )}
      {item.reserved > 0 && (
        <Link
          to="/print-farm/$part"
          params={{ part: "orders" }}
          search={{ sku: item.sku }}
          className="mt-2 inline-flex min-h-12 items-center rounded-lg px-2 underline hover:bg-sunk"
        >
          <Trans>See the orders it is promised to</Trans>
        </Link>
      )}
      <Actions item={item} />
    </Panel>
  );
}

function Actions({ item }: { item: Item }) {
  const { who } = useStore(session);
  const words = useMoveWords();
  const made = useRequirements(item.sku);
  const [moving, setMoving] = useState<Move | null>(null);
  const [editing, setEditing] = useState(false);
  const moves: Move[] = [];
  if (item.is_stocked && may(who, "inventory.move")) moves.push("receive", "issue", "transfer", "scrap");
  if (item.is_stocked && may(who, "inventory.move") && made.data?.length) moves.push("make");
  if (item.is_stocked && may(who, "inventory.adjust")) moves.push("adjust");
  const mayEdit = may(who, "inventory.manage") || (may(who, "inventory.adjust") && item.is_stocked);
  return (
    <div className="mt-4 flex flex-wrap gap-2">
      {moves.map((move) => (
        <Button key={move} look={move === "receive" ? "primary" : "plain"} onClick={() => setMoving(move)}>
          {words[move].name}
        </Button>
      ))}
      {mayEdit && (
        <Button onClick={() => setEditing(true)}>
          <Pencil aria-hidden className="size-5" />
          {may(who, "inventory.manage") ? <Trans>Edit</Trans> : <Trans>Set minimum</Trans>}
        </Button>
      )}
      {moves.length === 0 && !mayEdit && (
        <p className="text-soft">
          <Trans>Your role may look at stock. Operators and above may move it.</Trans>
        </p>
      )}
      {moving && <MoveDialog item={item} move={moving} onClose={() => setMoving(null)} />}
      {editing && <ItemDialog item={item} onClose={() => setEditing(false)} />}
    </div>
  );
}

function Places({ item }: { item: Item }) {
  const { t } = useLingui();
  const placeName = usePlaceName();
  const places = Object.entries(item.locations).sort(([one], [other]) => one.localeCompare(other));
  return (
    <Panel title={<Trans>Where it lies</Trans>}>
      {places.length === 0 && <p className="text-soft">{t`Nowhere: there is none.`}</p>}
      <ul className="flex flex-col divide-y divide-line">
        {places.map(([code, quantity]) => (
          <li key={code} className="flex items-center gap-3 py-2">
            <span className="min-w-0 flex-1">{placeName(code)}</span>
            <span className={`font-semibold ${quantity < 0 ? "text-bad" : ""}`}>
              {formatNumber(quantity)} {item.uom}
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Facts({ item }: { item: Item }) {
  const { t } = useLingui();
  const facts: [string, string | null][] = [
    [t`Kind`, kindName(item.kind)],
    [t`Supplier`, item.supplier],
    [t`Cost`, item.unit_cost === null ? null : t`${formatNumber(item.unit_cost)} per ${item.uom}`],
    [t`Below zero`, item.forbid_negative ? t`Never: what is not there cannot be taken` : t`Possible, and shown`],
    [t`Shops`, item.is_listed ? t`Are told when it runs out` : t`Are not told`],
  ];
  return (
    <Panel title={<Trans>About it</Trans>}>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
        {facts
          .filter(([, value]) => value)
          .map(([label, value]) => (
            <div key={label} className="contents">
              <dt className="text-soft">{label}</dt>
              <dd className="min-w-0 break-words">{value}</dd>
            </div>
          ))}
      </dl>
    </Panel>
  );
}
