import { Trans, useLingui } from "@lingui/react/macro";
import { Printer } from "lucide-react";
import { print } from "@/features/printing/act";
import { stateName } from "@/features/printing/words";
import { station } from "@/features/workflows/scan/state";
import { refetchStreams } from "@/lib/refetch";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Button, LinkButton } from "@/ui/button";
import { STREAMS } from "./act";
import type { Label } from "./plan-types";

/** The label of an order, or of one of its lots: asked for once; after that its print job has the ways to make another. */
export function LabelButton(props: { code: string; lot?: string; label: Label | null }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const here = useStore(station);
  const { code, lot, label } = props;
  const name = lot ?? code;
  if (label && label.state !== "void") {
    const state = stateName(label.job_state);
    return (
      <LinkButton
        to="/printing/jobs/$id"
        params={{ id: String(label.job_id) }}
        aria-label={t`Label: ${state} (${name})`}
      >
        <Printer aria-hidden className="size-5" /> <Trans>Label: {state}</Trans>
      </LinkButton>
    );
  }
  if (!may(who, "printing.request")) return null;
  const given = { p_code: code, p_lot: lot ?? null, p_station: here };
  return (
    <Button
      aria-label={t`Print the label of ${name}`}
      onClick={() => void print("print_order_label", given).then(() => refetchStreams(...STREAMS))}
    >
      <Printer aria-hidden className="size-5" /> <Trans>Print the label</Trans>
    </Button>
  );
}
