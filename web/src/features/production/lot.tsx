import { Trans, useLingui } from "@lingui/react/macro";
import { Link, useParams } from "@tanstack/react-router";
import { explain } from "@/lib/messages";
import { RpcError } from "@/lib/rpc";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Page, Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { useProductionScan } from "./frame";
import { LotActions } from "./lot-actions";
import { LotActivities, LotQuality, MassBalance } from "./lot-facts";
import { LotGraph } from "./lot-graph";
import { useLot } from "./lot-queries";
import type { LotDetail } from "./lot-types";
import { lotKind } from "./lot-words";
import { ProductionHistory } from "./order-facts";
import { useFilter } from "./queries";

/** One lot: on hold or not, how much there is, what it is made of and went into, what was done with it. */
export function LotPage() {
  const { code } = useParams({ strict: false }) as { code: string };
  const [filter] = useFilter();
  const lot = useLot(code, filter.sku, filter.show === "all");
  useProductionScan("lots");
  return (
    <Page
      title={<span className="font-mono break-all">{lot.data?.lot.code ?? code}</span>}
      tools={lot.data && <LotActions detail={lot.data} />}
    >
      <Outcome of={lot} />
      {lot.data && <Body detail={lot.data} />}
    </Page>
  );
}

/** On its way, unknown, or several items have a lot of that code. */
function Outcome({ of }: { of: ReturnType<typeof useLot> }) {
  const [, set] = useFilter();
  const { error, data } = of;
  if (data || !(error instanceof RpcError) || error.hint !== "lot.ambiguous") return <Pending of={of} />;
  return (
    <Panel title={explain(error)}>
      <ul className="flex flex-wrap gap-2">
        {((error.details.skus ?? []) as string[]).map((sku) => (
          <li key={sku}>
            <Button look="primary" className="font-mono" onClick={() => set({ sku })}>
              {sku}
            </Button>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Body({ detail }: { detail: LotDetail }) {
  const { t } = useLingui();
  const { lot, balance, order_code } = detail;
  return (
    <>
      <Panel>
        <div className="flex flex-wrap items-center gap-2">
          <span className="mr-auto font-mono text-xl">{lot.sku}</span>
          <Badge>{lotKind(lot.kind)}</Badge>
          {balance?.removed_at && (
            <Badge tone="warn">
              <Trans>Out of use: {balance.remove_reason}</Trans>
            </Badge>
          )}
          {lot.held_at ? (
            <Badge tone="bad">
              <Trans>On hold</Trans>
            </Badge>
          ) : (
            <Badge tone="ok">
              <Trans>May be used</Trans>
            </Badge>
          )}
        </div>
        <p className="text-sm text-soft">
          {[lot.supplier && t`From ${lot.supplier}`, lot.notes].filter(Boolean).join(" · ")}
        </p>
        {lot.held_at && (
          <p className="mt-3 rounded-lg bg-bad-bg p-3 font-semibold text-bad">
            <Trans>On hold: {lot.hold_reason}</Trans>
          </p>
        )}
        {order_code && (
          <p className="mt-2 flex flex-wrap items-center gap-2">
            <Trans>Made by</Trans>
            <Link
              to="/production/orders/$code"
              params={{ code: order_code }}
              className="inline-flex min-h-12 items-center font-mono font-semibold underline"
            >
              {order_code}
            </Link>
          </p>
        )}
      </Panel>
      <LotGraph detail={detail} />
      <div className="grid items-start gap-4 xl:grid-cols-2">
        <div className="flex min-w-0 flex-col gap-4">
          <MassBalance mass={detail.mass} />
          <LotActivities detail={detail} />
          <LotQuality records={detail.quality ?? []} titles={detail.reason_titles} />
        </div>
        <ProductionHistory events={detail.events ?? []} />
      </div>
    </>
  );
}
