import { useLingui } from "@lingui/react/macro";
import { useLines } from "@/features/maintenance/queries";
import { useSite } from "@/features/production/queries";
import { Select } from "@/ui/field";
import { useAndon, useFilter } from "./queries";

/** One line, or every one; a machine of another line is let go. */
export function LineChoice() {
  const { t } = useLingui();
  const [{ line }, set] = useFilter();
  const lines = useLines(useSite());
  return (
    <div className="w-40">
      <Select
        label={t`Line`}
        value={line ?? ""}
        onChange={(event) => set({ line: event.target.value || undefined, machine: undefined })}
      >
        <option value="">{t`Every line`}</option>
        {lines.data?.map(({ line: one }) => (
          <option key={one.code} value={one.code}>
            {one.title}
          </option>
        ))}
      </Select>
    </div>
  );
}

/** One machine, or with `all` every one. */
export function MachineChoice({ all }: { all?: boolean }) {
  const { t } = useLingui();
  const [{ line, machine }, set] = useFilter();
  const machines = useAndon({ site: useSite(), line });
  return (
    <div className="w-44">
      <Select
        label={t`Machine`}
        value={machine ?? (all ? "" : (machines.data?.[0]?.machine ?? ""))}
        onChange={(event) => set({ machine: event.target.value || undefined })}
      >
        {all && <option value="">{t`Every machine`}</option>}
        {machines.data?.map((one) => (
          <option key={one.machine} value={one.machine}>
            {one.name}
          </option>
        ))}
      </Select>
    </div>
  );
}
