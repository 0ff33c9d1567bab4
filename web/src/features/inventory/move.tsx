import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useState } from "react";
import { command } from "@/lib/commands";
import { refetchStreams } from "@/lib/refetch";
import type { RpcName } from "@/lib/rpc";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select } from "@/ui/field";
import { toast } from "@/ui/toast";
import { STREAMS, said, wayBack } from "./act";
import { type Problem, ProblemLine, problemOf } from "./problem";
import { usePlaces } from "./queries";
import type { Item, Place, StockChange } from "./types";

export const MOVES = ["receive", "issue", "transfer", "adjust", "scrap", "make"] as const;
export type Move = (typeof MOVES)[number];

interface Shape {
  rpc: RpcName;
  /** The argument that says where it lies, and where it goes. */
  from: "p_location" | "p_from";
  to?: "p_to";
  /** Things come in: no place is better than the default one. */
  comes?: true;
  given?: object;
}
const SHAPES: Record<Move, Shape> = {
  receive: { rpc: "receive_stock", from: "p_location", comes: true },
  issue: { rpc: "issue_stock", from: "p_from", to: "p_to" },
  transfer: { rpc: "transfer_stock", from: "p_from", to: "p_to" },
  adjust: { rpc: "adjust_stock", from: "p_location" },
  scrap: { rpc: "scrap_stock", from: "p_location" },
  make: { rpc: "consume_bom", from: "p_location", comes: true, given: { p_produce: true } },
};

export function useMoveWords(): Record<Move, { name: string; note?: string }> {
  const { t } = useLingui();
  return {
    receive: { name: t`Receive` },
    issue: { name: t`Issue`, note: t`To work in progress, or used up.` },
    transfer: { name: t`Transfer` },
    adjust: { name: t`Adjust`, note: t`By how much it is more, or less with a minus in front.` },
    scrap: { name: t`Scrap`, note: t`It is thrown away.` },
    make: { name: t`Make`, note: t`Its components are used up, and the pieces are booked in.` },
  };
}

/** The place to begin with: where the most of it lies, or the default one. */
function firstPlace(item: Item, places: Place[], comes: boolean): string {
  const fullest = Object.entries(item.locations).sort(([, one], [, other]) => other - one)[0];
  const usual = places.find((place) => place.is_default)?.code ?? places[0]?.code ?? "";
  return comes || !fullest || fullest[1] <= 0 ? usual : fullest[0];
}

/** One movement of an item by hand. What is missing or not allowed, the server says. */
export function MoveDialog({ item, move, onClose }: { item: Item; move: Move; onClose: () => void }) {
  const words = useMoveWords()[move];
  const places = usePlaces();
  return (
    <Dialog open onClose={onClose} title={`${words.name}: ${item.title}`} note={words.note}>
      {places.data && <MoveForm item={item} move={move} places={places.data} onClose={onClose} />}
    </Dialog>
  );
}

function MoveForm(props: { item: Item; move: Move; places: Place[]; onClose: () => void }) {
  const { t } = useLingui();
  const { item, move, onClose } = props;
  const shape = SHAPES[move];
  const words = useMoveWords()[move];
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const places = props.places.filter((place) => place.is_active || item.locations[place.code]);
  const wrong = (field: string) => (problem?.field === field ? problem.text : null);

  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim() || null;
    const quantity = text("quantity");
    const cost = text("cost");
    const given = {
      ...shape.given,
      p_sku: item.sku,
      p_quantity: quantity === null ? null : Number(quantity),
      [shape.from]: text("from"),
      p_reason: text("reason"),
      ...(shape.to && { [shape.to]: text("to") }),
      ...(move === "receive" && { p_ref: text("ref"), p_unit_cost: cost === null ? null : Number(cost) }),
    };
    setBusy(true);
    setProblem(null);
    try {
      const answer = await command<StockChange>(shape.rpc, given as never);
      if (answer.state === "done")
        toast("ok", said(item)(answer.data), move === "make" ? undefined : wayBack(answer.data));
      onClose();
    } catch (error) {
      setProblem(problemOf(error));
      setBusy(false);
    }
    refetchStreams(...STREAMS);
  }

  return (
    <form onSubmit={save} className="flex flex-col gap-3">
      <Input
        label={t`Quantity (${item.uom})`}
        name="quantity"
        type="number"
        inputMode={move === "adjust" ? "text" : "decimal"}
        step="any"
        autoFocus
        className="text-2xl font-semibold"
        error={wrong("p_quantity")}
      />
      <PlaceSelect
        label={shape.to ? t`From` : t`Place`}
        name="from"
        item={item}
        places={places}
        first={firstPlace(item, places, shape.comes ?? false)}
      />
      {shape.to && (
        <PlaceSelect
          label={t`To`}
          name="to"
          item={item}
          places={move === "issue" ? places.filter((place) => !place.is_free) : places}
          first=""
          nowhere={move === "issue" ? t`Nowhere: it is used up` : t`Choose a place`}
        />
      )}
      {move === "receive" && (
        <div className="grid gap-3 sm:grid-cols-2">
          <Input label={t`Delivery note or order`} name="ref" maxLength={200} error={wrong("p_ref")} />
          <Input
            label={t`Cost of one ${item.uom}`}
            name="cost"
            type="number"
            min={0}
            step="any"
            placeholder={item.unit_cost === null ? "" : formatNumber(item.unit_cost)}
          />
        </div>
      )}
      <Input label={t`Reason`} name="reason" maxLength={500} error={wrong("p_reason")} />
      <ProblemLine of={problem} except={["p_quantity", "p_reason", "p_ref"]} />
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>
          <Trans>Cancel</Trans>
        </Button>
        <Button look="primary" type="submit" disabled={busy}>
          {words.name}
        </Button>
      </div>
    </form>
  );
}

function PlaceSelect(props: {
  label: string;
  name: string;
  item: Item;
  places: Place[];
  first: string;
  nowhere?: string;
}) {
  const { item, places } = props;
  return (
    <Select label={props.label} name={props.name} defaultValue={props.first}>
      {props.nowhere && <option value="">{props.nowhere}</option>}
      {places.map((place) => (
        <option key={place.code} value={place.code}>
          {`${place.title} · ${formatNumber(item.locations[place.code] ?? 0)} ${item.uom}`}
        </option>
      ))}
    </Select>
  );
}
