import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { usePlant } from "@/features/core/queries";
import { Select } from "@/ui/field";
import { Panel } from "@/ui/page";
import { Pending } from "@/ui/states";
import { type Scope, useSettings } from "./queries";
import { SettingForm } from "./setting-form";

const GROUPS = /^([a-z_]+)\./;

/** A form for whatever settings the database defines. */
export function SettingsPart() {
  const { t } = useLingui();
  const plant = usePlant();
  const [chosen, setChosen] = useState("");
  const first = plant.data?.stores[0]?.code;
  const [kind, code] = (chosen || (first ? `store ${first}` : "")).split(" ");
  const scope: Scope = kind === "site" ? { site: code } : { store: code };
  const settings = useSettings(scope);
  const groups = new Map<string, typeof settings.data>();
  for (const one of settings.data ?? []) {
    if (kind === "store" && one.scope === "site") continue;
    const group = GROUPS.exec(one.key)?.[1] ?? "";
    groups.set(group, [...(groups.get(group) ?? []), one]);
  }
  return (
    <>
      <div className="w-72">
        <Select label={t`Settings of`} value={`${kind} ${code}`} onChange={(event) => setChosen(event.target.value)}>
          {plant.data?.stores.map((one) => (
            <option key={one.code} value={`store ${one.code}`}>
              {t`Store ${one.name}`}
            </option>
          ))}
          {plant.data?.sites.map((one) => (
            <option key={one.code} value={`site ${one.code}`}>
              {t`Site ${one.name}`}
            </option>
          ))}
        </Select>
      </div>
      <Pending of={settings} />
      {kind === "site" && (
        <p className="text-soft">
          <Trans>What is set for a site holds for its stores, unless a store says otherwise.</Trans>
        </p>
      )}
      <div className="gap-4 lg:columns-2">
        {[...groups].map(([group, list]) => (
          <Panel
            key={group}
            className="mb-4 break-inside-avoid"
            title={<span className="capitalize">{group.replaceAll("_", " ")}</span>}
          >
            <div className="flex flex-col gap-5">
              {list?.map((one) => (
                <SettingForm key={`${kind} ${code} ${one.key} ${one.version}`} setting={one} scope={scope} />
              ))}
            </div>
          </Panel>
        ))}
      </div>
    </>
  );
}
