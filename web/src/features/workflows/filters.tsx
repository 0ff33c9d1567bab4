import { Trans, useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { X } from "lucide-react";
import { usePlant } from "@/features/core/queries";
import { useSetting } from "@/features/settings/queries";
import { priorityName } from "@/lib/labels";
import { PRIORITIES } from "@/lib/types";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { SearchBox } from "@/ui/search-box";
import type { BoardSearch } from "./search";

/** Filters live in the address, so that a view can be shared and kept. */
export function Filters({ search }: { search: BoardSearch }) {
  const { t } = useLingui();
  const navigate = useNavigate();
  const plant = usePlant();
  const places = useSetting<string[]>({ store: search.store ?? plant.data?.stores[0]?.code }, "storage.locations", []);
  const set = (change: Partial<BoardSearch>) => {
    void navigate({ to: ".", search: { ...search, ...change } as never, replace: true });
  };
  const any = search.store || search.q || search.priority || search.storage;
  return (
    <search className="flex flex-wrap items-end gap-2">
      <SearchBox
        label={t`Search`}
        placeholder={t`Number, customer, cake …`}
        value={search.q ?? ""}
        onChange={(q) => set({ q: q || undefined })}
      />
      <div className="w-44">
        <Select
          quiet
          label={t`Store`}
          value={search.store ?? ""}
          onChange={(e) => set({ store: e.target.value || undefined })}
        >
          <option value="">{t`All stores`}</option>
          {plant.data?.stores.map((store) => (
            <option key={store.code} value={store.code}>
              {store.name}
            </option>
          ))}
        </Select>
      </div>
      <div className="w-40">
        <Select
          quiet
          label={t`Priority`}
          value={search.priority ?? ""}
          onChange={(e) => set({ priority: (e.target.value || undefined) as BoardSearch["priority"] })}
        >
          <option value="">{t`Any priority`}</option>
          {PRIORITIES.map((one) => (
            <option key={one} value={one}>
              {priorityName(one)}
            </option>
          ))}
        </Select>
      </div>
      <div className="w-44">
        <Select
          quiet
          label={t`Storage`}
          value={search.storage ?? ""}
          onChange={(e) => set({ storage: e.target.value || undefined })}
        >
          <option value="">{t`Any storage`}</option>
          {places.map((place) => (
            <option key={place}>{place}</option>
          ))}
        </Select>
      </div>
      {any && (
        <Button
          look="quiet"
          onClick={() => set({ store: undefined, q: undefined, priority: undefined, storage: undefined })}
        >
          <X aria-hidden /> <Trans>Clear</Trans>
        </Button>
      )}
    </search>
  );
}
