import { Trans, useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { X } from "lucide-react";
import { Button } from "@/ui/button";
import { Select, Switch } from "@/ui/field";
import { SearchBox } from "@/ui/search-box";
import { usePlaces } from "./queries";
import type { StockSearch } from "./search";
import { KINDS, kindName } from "./words";

/** What the list shows; in the address, so that a view can be shared and kept. */
export function ItemFilters({ search }: { search: StockSearch }) {
  const { t } = useLingui();
  const navigate = useNavigate();
  const places = usePlaces();
  const set = (change: Partial<StockSearch>) =>
    void navigate({ to: ".", search: { ...search, ...change } as never, replace: true });
  const any = search.q || search.kind || search.place || search.only || search.inactive;
  return (
    <search className="flex min-w-0 flex-1 flex-wrap items-end gap-2">
      <SearchBox
        label={t`Search items`}
        placeholder={t`SKU, name, supplier …`}
        value={search.q ?? ""}
        onChange={(q) => set({ q: q || undefined })}
      />
      <div className="min-w-36 flex-1 sm:max-w-44">
        <Select
          quiet
          label={t`Kind`}
          value={search.kind ?? ""}
          onChange={(event) => set({ kind: event.target.value || undefined })}
        >
          <option value="">{t`All kinds`}</option>
          {KINDS.map((kind) => (
            <option key={kind} value={kind}>
              {kindName(kind)}
            </option>
          ))}
        </Select>
      </div>
      <div className="min-w-36 flex-1 sm:max-w-44">
        <Select
          quiet
          label={t`Stock`}
          value={search.only ?? ""}
          onChange={(event) => set({ only: (event.target.value || undefined) as StockSearch["only"] })}
        >
          <option value="">{t`Any stock`}</option>
          <option value="low">{t({ message: "Low", context: "stock" })}</option>
          <option value="out">{t`Nothing available`}</option>
          <option value="negative">{t`Below zero`}</option>
        </Select>
      </div>
      <div className="min-w-36 flex-1 sm:max-w-44">
        <Select
          quiet
          label={t`Place`}
          value={search.place ?? ""}
          onChange={(event) => set({ place: event.target.value || undefined })}
        >
          <option value="">{t`All places`}</option>
          {places.data?.map((place) => (
            <option key={place.code} value={place.code}>
              {place.title}
            </option>
          ))}
        </Select>
      </div>
      <Switch
        label={t`Also what is not in use`}
        checked={search.inactive ?? false}
        onChange={(event) => set({ inactive: event.target.checked || undefined })}
      />
      {any && (
        <Button
          look="quiet"
          onClick={() => set({ q: undefined, kind: undefined, place: undefined, only: undefined, inactive: undefined })}
        >
          <X aria-hidden /> <Trans>Clear</Trans>
        </Button>
      )}
    </search>
  );
}
