import { Trans, useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { Search, X } from "lucide-react";
import { useEffect, useState } from "react";
import { usePlant } from "@/features/core/queries";
import { useSetting } from "@/features/settings/queries";
import { priorityName } from "@/lib/labels";
import { PRIORITIES } from "@/lib/types";
import { Button } from "@/ui/button";
import { Input, Select } from "@/ui/field";
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
      <SearchBox value={search.q ?? ""} onChange={(q) => set({ q: q || undefined })} />
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

function SearchBox({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { t } = useLingui();
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onChange(text), 250);
    return () => clearTimeout(timer);
  }, [text, value, onChange]);
  return (
    <div className="relative min-w-48 flex-1 sm:max-w-72">
      <Input
        quiet
        id="search-box"
        type="search"
        label={t`Search`}
        placeholder={t`Number, customer, cake …`}
        className="pl-10"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <Search aria-hidden className="absolute bottom-3 left-3 text-soft" />
    </div>
  );
}
