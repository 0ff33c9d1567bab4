import { Trans, useLingui } from "@lingui/react/macro";
import {
  CircleCheck,
  CircleOff,
  LoaderCircle,
  Pause,
  Play,
  Printer as PrinterIcon,
  ScrollText,
  TriangleAlert,
} from "lucide-react";
import { type FormEvent, useState } from "react";
import { useNow } from "@/features/workflows/badges";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatAge, formatNumber } from "@/lib/time";
import { Badge, type BadgeTone } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { print } from "./act";
import { AlarmList } from "./alarms";
import { LastLabel } from "./last-label";
import { usePrinters, useVirtualPaper } from "./queries";
import type { PrinterCard } from "./types";
import { reasonWords } from "./words";

/** Every label printer: how it is in words, what to do, its queue, its last label. */
export function PrintersPart() {
  const { t } = useLingui();
  const printers = usePrinters();
  const virtual = useVirtualPaper();
  return (
    <div className="flex flex-col gap-4">
      {virtual.data && (
        <a
          href="/simulator/"
          target="_blank"
          rel="noreferrer"
          className="flex min-h-12 items-center gap-2 self-start rounded-lg px-3 underline hover:bg-sunk"
        >
          <ScrollText aria-hidden className="size-5" /> <Trans>See the paper of the virtual printers</Trans>
        </a>
      )}
      <AlarmList />
      <Pending of={printers} />
      {printers.data?.length === 0 && (
        <Empty>{t`No label printer yet. Add one with: takt printer add, and start its agent beside it.`}</Empty>
      )}
      <div className="grid gap-4 md:grid-cols-2">
        {printers.data?.map((card) => (
          <PrinterPanel key={card.printer.code} card={card} />
        ))}
      </div>
    </div>
  );
}

function StateBadge({ state }: { state: PrinterCard["state"] }) {
  const { t } = useLingui();
  const looks: Record<PrinterCard["state"], [BadgeTone, string, typeof CircleCheck]> = {
    ready: ["ok", t`Ready`, CircleCheck],
    printing: ["accent", t`Printing`, LoaderCircle],
    trouble: ["bad", t`Needs you`, TriangleAlert],
    halted: ["warn", t`Stopped here`, Pause],
    off: ["plain", t`Out of service`, CircleOff],
    away: ["bad", t`Not there`, CircleOff],
  };
  const [tone, words, Icon] = looks[state];
  return (
    <Badge tone={tone} icon={<Icon aria-hidden />}>
      {words}
    </Badge>
  );
}

function PrinterPanel({ card }: { card: PrinterCard }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const now = useNow(5000);
  const [rolling, setRolling] = useState(false);
  const { printer } = card;
  const oldest = card.oldest_waiting_at ? formatAge(now - Date.parse(card.oldest_waiting_at)) : null;
  const facts: [string, number, string][] = [
    [t`Waiting`, card.waiting, ""],
    [t`Held`, card.held, card.held ? "text-warn" : ""],
    [t`Nobody knows`, card.unknown, card.unknown ? "text-bad" : ""],
  ];
  return (
    <Panel title={printer.name} tools={<StateBadge state={card.state} />}>
      {card.state === "trouble" ? (
        <ul className="font-medium text-bad">
          {printer.reasons.map((reason) => (
            <li key={reason}>{reasonWords(reason)}</li>
          ))}
        </ul>
      ) : (
        <p className={card.state === "ready" ? "text-soft" : "font-medium"}>{card.message}</p>
      )}
      <dl className="mt-3 grid grid-cols-3 gap-2">
        {facts.map(([label, value, look]) => (
          <div key={label} className="flex flex-col-reverse justify-end">
            <dt className="text-sm text-soft">{label}</dt>
            <dd className={`text-3xl font-bold ${look}`}>{formatNumber(value)}</dd>
          </div>
        ))}
      </dl>
      {oldest && (
        <p className="mt-1 text-sm text-soft">
          <Trans>The oldest waits for {oldest}</Trans>
        </p>
      )}
      <LastLabel job={card.last_job_id} />
      <p className="mt-2 text-sm text-soft">
        {printer.dpi ? `${printer.dpi} dpi · ` : ""}
        {printer.loaded_media ? t`Roll ${printer.loaded_media}` : t`Roll not said`} ·{" "}
        <Trans>{formatNumber(printer.labels_since_media)} labels since the roll</Trans>
        {card.done_p50_ms !== null && (
          <>
            {" · "}
            <Trans>
              done in {seconds(card.done_p50_ms)} s, slowest {seconds(card.done_p95_ms)} s
            </Trans>
          </>
        )}
      </p>
      <div className="mt-3 flex flex-wrap gap-2">
        {may(who, "printing.request") && (
          <Button onClick={() => setRolling(true)}>
            <PrinterIcon aria-hidden className="size-5" /> <Trans>New roll</Trans>
          </Button>
        )}
        {may(who, "printing.supervise") &&
          (printer.halted_reason ? (
            <Button onClick={() => void print("resume_printer", { p_printer: printer.code })}>
              <Play aria-hidden className="size-5" /> <Trans>Resume</Trans>
            </Button>
          ) : (
            <Button onClick={() => void print("halt_printer", { p_printer: printer.code })}>
              <Pause aria-hidden className="size-5" /> <Trans>Stop it here</Trans>
            </Button>
          ))}
      </div>
      {rolling && <RollDialog card={card} onClose={() => setRolling(false)} />}
    </Panel>
  );
}

const seconds = (ms: number | null) => formatNumber(Math.round((ms ?? 0) / 100) / 10);

function RollDialog({ card, onClose }: { card: PrinterCard; onClose: () => void }) {
  const { t } = useLingui();
  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const media = String(new FormData(event.currentTarget).get("media")).trim();
    if (await print("set_loaded_media", { p_printer: card.printer.code, p_media: media || null })) onClose();
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={t`New roll in ${card.printer.name}`}
      note={t`Labels for another roll are held instead of wasted.`}
    >
      <form onSubmit={save} className="flex flex-col gap-3">
        <Input
          label={t`Which roll lies in it?`}
          name="media"
          defaultValue={card.printer.loaded_media ?? ""}
          placeholder="100x60"
        />
        <Button look="primary" type="submit">
          <Trans>Save</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
