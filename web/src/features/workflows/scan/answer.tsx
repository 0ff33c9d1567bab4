import { Trans, useLingui } from "@lingui/react/macro";
import { CircleAlert, CircleCheck, CircleHelp, LoaderCircle } from "lucide-react";
import { stageName } from "@/lib/labels";
import { explain, sentence } from "@/lib/messages";
import type { RpcName } from "@/lib/rpc";
import type { ScanResult } from "@/lib/types";
import { Button, LinkButton } from "@/ui/button";
import { cx } from "@/ui/cx";
import { useOrderCommands } from "../actions";
import { type ScanEntry, submitScan } from "./state";

const LOOKS = {
  read: ["bg-sunk text-ink", LoaderCircle],
  ok: ["bg-ok-bg text-ok", CircleCheck],
  ask: ["bg-warn-bg text-warn", CircleHelp],
  bad: ["bg-bad-bg text-bad", CircleAlert],
} as const;

/** What came of it, in words. */
export function useScanWords(): (entry: ScanEntry) => string {
  const { t } = useLingui();
  return (entry) => {
    const { result } = entry;
    if (entry.state === "reading") return t`Reading …`;
    if (!result) return explain(entry.error);
    const stage = stageName(String(result.details?.stage ?? result.order_row?.stage ?? ""));
    if (result.action === "started") return t`${stage} started`;
    if (result.action === "completed") return t`${stage} done`;
    if (result.action === "found") return t`In ${stage}`;
    if (result.action === "nothing") return t`Complete already`;
    return sentence(result.hint, result.details ?? {}, result.message);
  };
}

export function ScanAnswer({ entry }: { entry: ScanEntry }) {
  const { t } = useLingui();
  const words = useScanWords();
  const [look, Icon] = LOOKS[entry.tone];
  const { result } = entry;
  const order = result?.order_row;
  const target = (result?.details?.target ?? {}) as Record<string, string>;
  return (
    <div className={cx("rounded-xl p-4", look)} data-scan-tone={entry.tone}>
      <div className="flex items-start gap-3">
        <Icon aria-hidden className={cx("size-10 shrink-0", entry.state === "reading" && "animate-spin")} />
        <div className="min-w-0 flex-1">
          <p className="text-xl leading-tight font-bold">{words(entry)}</p>
          <p className="font-mono break-all">{order?.id ?? entry.code}</p>
          {result && !result.changed && (result.action === "started" || result.action === "completed") && (
            <p>
              <Trans>Scanned a moment ago: it counts once.</Trans>
            </p>
          )}
        </div>
      </div>
      {result && <WrongOne result={result} />}
      {order && (
        <p className="mt-2 text-ink">
          {[order.size, order.flavour, order.product_title].filter(Boolean).join(" · ")}
          {order.cake_writing && <b> “{order.cake_writing}”</b>}
        </p>
      )}
      {result?.candidates && (
        <ul className="mt-3 flex flex-col gap-2">
          {result.candidates.map((one) =>
            "lot" in one ? (
              <li key={one.sku}>
                <WayTo page="lot" facts={{ ...one }} />
              </li>
            ) : (
              <li key={one.id}>
                <Button
                  className="h-auto w-full flex-col items-start gap-0 py-2 text-left"
                  onClick={() => submitScan(one.id)}
                >
                  <span className="font-mono font-semibold">{one.id}</span>
                  <span className="text-sm">
                    {[stageName(one.stage), one.size, one.flavour, one.product_title, one.customer_name]
                      .filter(Boolean)
                      .join(" · ")}
                  </span>
                </Button>
              </li>
            ),
          )}
        </ul>
      )}
      <div className="mt-3 empty:hidden">
        <WayTo page={target.page} facts={target} />
      </div>
      {order && entry.state === "done" && (
        <div className="mt-3 flex flex-wrap gap-2">
          {result?.offer && <OfferButton id={order.id} offer={result.offer as RpcName} />}
          {result?.changed && <UndoButton id={order.id} />}
          <LinkButton to="/orders/$id" params={{ id: order.id }}>
            {t`Open the ticket`}
          </LinkButton>
        </div>
      )}
    </div>
  );
}

/** The page of what was scanned, where it is no ticket. */
function WayTo({ page, facts }: { page: string | undefined; facts: Record<string, string> }) {
  const { t } = useLingui();
  const { sn = "", code = "", lot = "", sku = "" } = facts;
  if (page === "unit") return <LinkButton to="/units/$sn" params={{ sn }}>{t`Open the unit`}</LinkButton>;
  if (page === "production_order")
    return <LinkButton to="/production/orders/$code" params={{ code }}>{t`Open the order`}</LinkButton>;
  if (page !== "lot") return null;
  return (
    <LinkButton to="/production/lots/$code" params={{ code: lot }} search={{ sku } as never}>
      {t`Open lot ${lot} of ${sku}`}
    </LinkButton>
  );
}

/** Expected and actual side by side: nobody should have to compare from memory. */
function WrongOne({ result }: { result: ScanResult }) {
  const { expected, actual } = result.details ?? {};
  if (!result.hint?.startsWith("scan.wrong") || !expected) return null;
  return (
    <dl className="mt-3 grid grid-cols-2 gap-2 text-ink">
      {[
        [<Trans key="e">Expected</Trans>, expected],
        [<Trans key="a">Scanned</Trans>, actual],
      ].map(([label, value], index) => (
        <div key={index === 0 ? "expected" : "actual"} className="rounded-lg bg-panel p-2">
          <dt className="text-sm text-soft">{label as React.ReactNode}</dt>
          <dd className="font-mono font-bold break-all">{stageName(String(value))}</dd>
        </div>
      ))}
    </dl>
  );
}

function OfferButton({ id, offer }: { id: string; offer: RpcName }) {
  const { t } = useLingui();
  const { act } = useOrderCommands();
  if (offer !== "start_packing") return null;
  return (
    <Button look="primary" onClick={() => void act("start_packing", { p_order_id: id }, id)}>
      {t`Start Packing`}
    </Button>
  );
}

function UndoButton({ id }: { id: string }) {
  const { t } = useLingui();
  const { undo } = useOrderCommands();
  return <Button onClick={() => void undo(id)}>{t`Undo`}</Button>;
}

/** An earlier scan in one line. */
export function ScanLine({ entry }: { entry: ScanEntry }) {
  const words = useScanWords();
  const [, Icon] = LOOKS[entry.tone];
  return (
    <li className="flex items-center gap-2 py-1 text-sm">
      <Icon aria-hidden className={cx("size-4 shrink-0", LOOKS[entry.tone][0].split(" ")[1])} />
      <span className="font-mono">{entry.result?.order_row?.id ?? entry.code}</span>
      <span className="ml-auto text-right text-soft">{words(entry)}</span>
    </li>
  );
}
