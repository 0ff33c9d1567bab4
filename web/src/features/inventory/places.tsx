import { Trans, useLingui } from "@lingui/react/macro";
import { Pencil } from "lucide-react";
import { type FormEvent, useState } from "react";
import { usePlant } from "@/features/core/queries";
import { command } from "@/lib/commands";
import { refetchStreams } from "@/lib/refetch";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input, Select, Switch } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { toast } from "@/ui/toast";
import { useEditor } from "./editor";
import { type Problem, ProblemLine, problemOf } from "./problem";
import { usePlaces } from "./queries";
import type { Place } from "./types";
import { PLACES, placeKindName } from "./words";

/** Where stock lies: every place of the plant, and what it is for. */
export function PlacesPart() {
  const { t } = useLingui();
  const places = usePlaces();
  const { editing, setEditing, mayEdit, tools } = useEditor<Place>(<Trans>New place</Trans>);
  return (
    <Panel title={<Trans>Where stock lies</Trans>} tools={tools}>
      <Pending of={places} />
      <ul aria-label={t`Places`} className="flex flex-col divide-y divide-line">
        {places.data?.map((place) => (
          <li key={place.code} className="flex min-h-16 flex-wrap items-center gap-2 py-2">
            <div className="min-w-0 flex-1">
              <p className="font-semibold [overflow-wrap:anywhere]">{place.title}</p>
              <p className="text-sm text-soft">
                <span className="font-mono">{place.code}</span> · {place.site} · {placeKindName(place.kind)}
              </p>
            </div>
            {place.is_default && <Badge tone="ok">{t`Used when none is named`}</Badge>}
            {!place.is_free && <Badge>{t`Not free for orders`}</Badge>}
            {!place.is_active && <Badge tone="warn">{t`Out of use`}</Badge>}
            {mayEdit && (
              <Button aria-label={t`Edit ${place.title}`} onClick={() => setEditing(place)}>
                <Pencil aria-hidden className="size-5" />
              </Button>
            )}
          </li>
        ))}
      </ul>
      {editing && <PlaceDialog place={editing === "new" ? null : editing} onClose={() => setEditing(null)} />}
    </Panel>
  );
}

function PlaceDialog({ place, onClose }: { place: Place | null; onClose: () => void }) {
  const { t } = useLingui();
  const plant = usePlant();
  const [problem, setProblem] = useState<Problem | null>(null);

  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    setProblem(null);
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    try {
      await command("upsert_location", {
        p_code: place?.code ?? text("code"),
        p_title: text("title"),
        p_kind: text("kind"),
        p_site: place?.site ?? text("site"),
        p_is_default: place?.is_default || form.has("is_default") ? true : null,
        p_is_active: form.has("is_active"),
      });
      toast("ok", t`Saved.`);
      onClose();
    } catch (error) {
      setProblem(problemOf(error));
    }
    refetchStreams("location");
  }

  return (
    <Dialog open onClose={onClose} title={place ? place.title : t`New place`}>
      <form onSubmit={save} className="flex flex-col gap-3">
        {!place && (
          <>
            <Input
              label={t`Code`}
              note={t`Letters, digits, dot, dash; it never changes.`}
              name="code"
              required
              maxLength={61}
              pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*"
              className="font-mono"
            />
            <Select label={t`Site`} name="site">
              {plant.data?.sites.map((site) => (
                <option key={site.code} value={site.code}>
                  {site.name}
                </option>
              ))}
            </Select>
          </>
        )}
        <Input label={t`Name`} name="title" required maxLength={200} defaultValue={place?.title} />
        <Select
          label={t`Kind`}
          note={t`What lies in progress or in quarantine is promised to nobody.`}
          name="kind"
          defaultValue={place?.kind ?? "warehouse"}
        >
          {PLACES.map((kind) => (
            <option key={kind} value={kind}>
              {placeKindName(kind)}
            </option>
          ))}
        </Select>
        {!place?.is_default && (
          <Switch label={t`Used when none is named`} note={t`One place of each site.`} name="is_default" />
        )}
        <Switch label={t`In use`} name="is_active" defaultChecked={place?.is_active ?? true} />
        <ProblemLine of={problem} />
        <Button look="primary" type="submit">
          <Trans>Save</Trans>
        </Button>
      </form>
    </Dialog>
  );
}
