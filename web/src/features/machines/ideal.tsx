import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import type { FormEvent } from "react";
import { rows } from "@/lib/rpc";
import { db } from "@/lib/supabase";
import { formatNumber } from "@/lib/time";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input } from "@/ui/field";
import { Pending } from "@/ui/states";
import { order } from "./act";

/** 1,800 pieces a minute are 0.0333… s each: what is kept is not rounded, and shown as it is. */
const DECIMALS = 12;

interface Ideal {
  sku: string | null;
  ideal_s: number;
}

/** How long a piece takes on a machine at best: of one product, else of any. */
export function IdealDialog({ machine, name, onClose }: { machine: string; name: string; onClose: () => void }) {
  const { t } = useLingui();
  const ideals = useQuery({
    queryKey: ["machine", "ideal", machine],
    queryFn: () => rows<Ideal[]>(db().from("ideal_cycles").select("sku, ideal_s").eq("machine", machine).order("sku")),
  });
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const seconds = Number(form.get("seconds"));
    const done = await order(
      "set_ideal_cycle",
      { p_machine: machine, p_ideal_s: seconds, p_sku: String(form.get("sku")).trim() || null } as never,
      () => t`From now on a piece takes ${formatNumber(seconds, DECIMALS)} s at best.`,
    );
    if (done) {
      await ideals.refetch();
      onClose();
    }
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={t`Ideal cycle of ${name}`}
      note={t`How long a piece takes at best. It holds from now on; what was counted keeps what held then.`}
    >
      <Pending of={ideals} />
      <ul className="mb-3">
        {ideals.data?.map((one) => (
          <li key={one.sku ?? ""}>
            {one.sku ?? t`Any product`}: <b>{t`${formatNumber(one.ideal_s, DECIMALS)} s`}</b>
          </li>
        ))}
      </ul>
      <form onSubmit={send} className="flex flex-col gap-3">
        <Input label={t`Seconds per piece`} name="seconds" type="number" min={0.000001} step="any" required />
        <Input label={t`Only of this product (SKU)`} note={t`Empty: of any product`} name="sku" />
        <Button look="primary" type="submit" className="min-h-14">
          <Trans>Save</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
