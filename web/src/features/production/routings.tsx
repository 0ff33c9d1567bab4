import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { CircleCheck, Plus } from "lucide-react";
import { useState } from "react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { SearchBox } from "@/ui/search-box";
import { Empty, Pending } from "@/ui/states";
import { produce } from "./act";
import { ProductionFrame } from "./frame";
import { useRoutings } from "./plan-queries";
import { useFilter, useSiteZone } from "./queries";
import { RoutingFlow } from "./routing-flow";
import { RoutingForm } from "./routing-form";
import type { RoutingChange, RoutingItem, RoutingVersion } from "./routing-types";

/** How items are made: each with its versions, of which orders follow one. */
export function RoutingsPage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const [filter, set] = useFilter();
  const routings = useRoutings(filter.q);
  const [isNew, setNew] = useState(false);
  return (
    <ProductionFrame current="routings">
      <div className="flex flex-wrap items-end gap-2">
        <SearchBox
          label={t`Search`}
          placeholder={t`Item, SKU …`}
          value={filter.q ?? ""}
          onChange={(q) => set({ q: q || undefined })}
        />
        {may(who, "production.setup") && (
          <Button look="primary" className="ml-auto" onClick={() => setNew(true)}>
            <Plus aria-hidden className="size-5" /> <Trans>New routing</Trans>
          </Button>
        )}
      </div>
      <Pending of={routings} />
      {routings.data && (
        <p role="status" className="text-sm text-soft">
          <Plural value={routings.data.total} one="# item" other="# items" />
        </p>
      )}
      {routings.data?.items.length === 0 && (
        <Empty>{filter.q ? t`No item with a routing fits.` : t`Nobody has said yet how anything is made.`}</Empty>
      )}
      <ul aria-label={t`Routings`} className="flex flex-col gap-3">
        {routings.data?.items.map((item) => (
          <li key={item.sku}>
            <Routing key={`${item.sku} ${item.active_version} ${item.versions.length}`} item={item} />
          </li>
        ))}
      </ul>
      {routings.hasNextPage && (
        <Button
          className="self-center"
          disabled={routings.isFetchingNextPage}
          onClick={() => void routings.fetchNextPage()}
        >
          <Trans>Show more</Trans>
        </Button>
      )}
      {isNew && <RoutingForm onClose={() => setNew(false)} />}
    </ProductionFrame>
  );
}

function Routing({ item }: { item: RoutingItem }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const [chosen, setChosen] = useState(item.active_version ?? item.versions[0]?.version);
  const [isOpen, setOpen] = useState(false);
  const shown = item.versions.find((one) => one.version === chosen);
  if (!shown) return null;
  const tools = (
    <>
      {item.versions.length > 1 && (
        <Select
          quiet
          label={t`Version of ${item.sku}`}
          value={shown.version}
          onChange={(event) => setChosen(Number(event.target.value))}
        >
          {item.versions.map((one) => (
            <option key={one.version} value={one.version}>
              {one.is_active ? t`Version ${one.version}, in force` : t`Version ${one.version}`}
            </option>
          ))}
        </Select>
      )}
      {may(who, "production.setup") && (
        <Button aria-label={t`New version for ${item.sku}`} onClick={() => setOpen(true)}>
          <Trans>New version</Trans>
        </Button>
      )}
    </>
  );
  return (
    <Panel
      title={
        <>
          {item.title} <span className="font-mono text-base font-normal text-soft">{item.sku}</span>
        </>
      }
      tools={tools}
    >
      <Standing item={item} of={shown} />
      <RoutingFlow steps={shown.steps} />
      {isOpen && <RoutingForm item={item} from={shown} onClose={() => setOpen(false)} />}
    </Panel>
  );
}

/** Whether orders follow this version, and the way to make them do so; that other orders keep theirs. */
function Standing({ item, of }: { item: RoutingItem; of: RoutingVersion }) {
  const { t } = useLingui();
  const { who } = useStore(session);
  const zone = useSiteZone();
  const before = item.active_version;
  const follow = (p_version: number, back: boolean): Promise<unknown> =>
    produce<RoutingChange>(
      "activate_routing",
      { p_sku: item.sku, p_version },
      () => t`${item.sku}: version ${p_version} is in force.`,
      () => (back && before !== null ? { label: t`Undo`, run: () => void follow(before, false) } : undefined),
    );
  return (
    <div className="mb-3 flex flex-wrap items-center gap-x-3 gap-y-2">
      {of.is_active ? (
        <Badge tone="ok" icon={<CircleCheck aria-hidden />}>
          <Trans>Version {of.version}, in force</Trans>
        </Badge>
      ) : (
        <Badge tone="warn">
          <Trans>Version {of.version}, not in force</Trans>
        </Badge>
      )}
      <span className="min-w-0 flex-1 basis-52 text-sm text-soft">
        {[of.note, of.created_by_name, formatInstant(of.created_at, zone)].filter(Boolean).join(" · ")}
      </span>
      {!of.is_active && may(who, "production.setup") && (
        <Button
          look="primary"
          aria-label={t`Follow it from now on: version ${of.version} of ${item.sku}`}
          onClick={() => void follow(of.version, true)}
        >
          <Trans>Follow it from now on</Trans>
        </Button>
      )}
    </div>
  );
}
