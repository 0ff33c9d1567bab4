import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Undo2 } from "lucide-react";
import { useState } from "react";
import { useStaffName, useZone } from "@/features/core/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { FileDrop } from "@/ui/file-drop";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { giveStock } from "./act";
import { ImportCheck } from "./import-check";
import { useImports } from "./queries";
import type { Imported } from "./types";

/** A file of items or of stock: checked as a whole, then applied as a whole, and taken back as a whole. */
export function ImportPart() {
  const { who } = useStore(session);
  const [opened, setOpened] = useState<File | null>(null);
  if (!may(who, "inventory.manage"))
    return (
      <Empty>
        <Trans>Your role may not import. Ask a planner.</Trans>
      </Empty>
    );
  return (
    <div className="flex flex-col gap-4">
      <FilePanel onOpen={setOpened} />
      {opened && (
        <ImportCheck key={`${opened.name} ${opened.lastModified}`} file={opened} onDone={() => setOpened(null)} />
      )}
      <Imports />
    </div>
  );
}

function FilePanel({ onOpen }: { onOpen: (file: File) => void }) {
  return (
    <Panel title={<Trans>Import a file</Trans>}>
      <FileDrop onOpen={onOpen} />
      <dl className="mt-3 grid gap-x-4 gap-y-1 text-sm sm:grid-cols-[auto_1fr]">
        <dt className="font-semibold">
          <Trans>Columns for items</Trans>
        </dt>
        <dd className="font-mono text-soft">
          sku, title, kind, uom, min_stock, supplier, unit_cost, forbid_negative, is_stocked, is_listed, is_active
        </dd>
        <dt className="font-semibold">
          <Trans>Columns for stock</Trans>
        </dt>
        <dd className="text-soft">
          <span className="font-mono">sku, location, on_hand, quantity, unit_cost, reason</span>{" "}
          <Trans>(on_hand: what is there; quantity: what came in)</Trans>
        </dd>
      </dl>
    </Panel>
  );
}

function Imports() {
  const { t } = useLingui();
  const imports = useImports(true);
  return (
    <Panel title={<Trans>Imports before</Trans>}>
      <Pending of={imports} />
      {imports.data?.length === 0 && <Empty>{t`Nothing was imported yet.`}</Empty>}
      <ul aria-label={t`Imports before`} className="flex flex-col divide-y divide-line">
        {imports.data?.map((one) => (
          <ImportRow key={one.id} one={one} />
        ))}
      </ul>
    </Panel>
  );
}

function ImportRow({ one }: { one: Imported }) {
  const { t } = useLingui();
  const zone = useZone();
  const staffName = useStaffName();
  return (
    <li className="flex min-h-16 flex-wrap items-center gap-3 py-2">
      <div className="min-w-0 flex-1">
        <p className="font-semibold">
          {t`Import ${one.id}`} · {one.kind === "items" ? t`Items` : t`Stock`} ·{" "}
          <Plural value={one.row_count} one="# row" other="# rows" />
        </p>
        <p className="text-sm text-soft">
          {staffName(one.actor_id)} · {formatInstant(one.created_at, zone)}
        </p>
      </div>
      {one.undone_at ? <Badge>{t`Taken back`}</Badge> : <UndoImport id={one.id} />}
    </li>
  );
}

/** Takes a whole import back. */
export function UndoImport({ id }: { id: number }) {
  const { t } = useLingui();
  return (
    <Button
      aria-label={t`Undo import ${id}`}
      onClick={() => void giveStock("undo_import", { p_batch_id: id }, t`Import ${id} is taken back.`)}
    >
      <Undo2 aria-hidden className="size-5" /> <Trans>Undo</Trans>
    </Button>
  );
}
