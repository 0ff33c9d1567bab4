import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { Pencil } from "lucide-react";
import { useState } from "react";
import { stageName } from "@/lib/labels";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatNumber } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { useRequirements } from "./queries";
import { RequirementsDialog } from "./requirements-form";
import type { Item, Requirement } from "./types";

/** What one piece of an item is made of, through every level. */
export function RequirementsPanel({ item }: { item: Item }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const parts = useRequirements(item.sku);
  const [editing, setEditing] = useState(false);
  const tools = may(who, "inventory.manage") && parts.data && (
    <Button aria-label={t`Edit what it is made of`} onClick={() => setEditing(true)}>
      <Pencil aria-hidden className="size-5" /> <Trans>Edit</Trans>
    </Button>
  );
  return (
    <Panel title={<Trans>Made of</Trans>} tools={tools}>
      <Pending of={parts} />
      {parts.data?.length === 0 && <p className="text-soft">{t`Nothing: it is bought, or nobody has said yet.`}</p>}
      <ul className="flex flex-col">
        {parts.data?.map((part) => (
          <PartRow key={part.path.join(" ")} part={part} />
        ))}
      </ul>
      {editing && parts.data && (
        <RequirementsDialog
          title={item.title}
          product={{ p_parent_sku: item.sku }}
          lines={parts.data.filter((part) => part.level === 1)}
          onClose={() => setEditing(false)}
        />
      )}
    </Panel>
  );
}

/** What a component is needed for, in short. */
export function PartNotes({ part }: { part: Pick<Requirement, "stage" | "is_optional"> }) {
  return (
    <>
      {part.stage && <Badge>{stageName(part.stage)}</Badge>}
      {part.is_optional && (
        <Badge>
          <Trans>if there is any</Trans>
        </Badge>
      )}
    </>
  );
}

function PartRow({ part }: { part: Requirement }) {
  return (
    <li className="flex flex-wrap items-center gap-2" style={{ paddingLeft: `${(part.level - 1) * 1.25}rem` }}>
      <Link
        to="/stock/item"
        search={{ sku: part.sku }}
        className="flex min-h-12 min-w-0 flex-1 items-center rounded-lg px-2 hover:bg-sunk"
      >
        <span className="min-w-0">
          <b>{formatNumber(part.quantity)} ×</b> {part.title}
        </span>
      </Link>
      <PartNotes part={part} />
      {part.ats !== null && (
        <span className={`text-sm ${part.ats < part.quantity ? "font-semibold text-bad" : "text-soft"}`}>
          <Trans>{formatNumber(part.ats)} available</Trans>
        </span>
      )}
    </li>
  );
}
