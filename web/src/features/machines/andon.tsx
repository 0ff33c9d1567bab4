import { Trans, useLingui } from "@lingui/react/macro";
import { Monitor } from "lucide-react";
import { useLines } from "@/features/maintenance/queries";
import { useSite } from "@/features/production/queries";
import { formatNumber } from "@/lib/time";
import { Button, LinkButton } from "@/ui/button";
import { Panel } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { LineChoice } from "./choices";
import { MachinesFrame } from "./frame";
import { useAndon, useFilter } from "./queries";
import { AndonTile } from "./tile";
import type { Andon } from "./types";
import { isStanding } from "./words";

/** Every machine now, line by line. */
export function AndonPage() {
  const { t } = useLingui();
  const site = useSite();
  const [{ line, show }, set] = useFilter();
  const andon = useAndon({ site, line });
  const shown = andon.data?.filter((one) => show !== "standing" || isStanding(one.state)) ?? [];
  const lines = [...new Set(shown.map((one) => one.line))];
  return (
    <MachinesFrame current="andon">
      <search className="flex flex-wrap items-end gap-2">
        <LineChoice />
        <Button
          aria-pressed={show === "standing"}
          look={show === "standing" ? "primary" : "plain"}
          onClick={() => set({ show: show === "standing" ? undefined : "standing" })}
        >
          <Trans>Only what stands</Trans>
        </Button>
        <LinkButton to="/andon" search={{ line } as never} className="ml-auto">
          <Monitor aria-hidden /> <Trans>For the wall</Trans>
        </LinkButton>
      </search>
      <Pending of={andon} />
      {andon.data && <Totals of={andon.data} />}
      {andon.data && shown.length === 0 && (
        <Empty>
          {andon.data.length === 0 ? t`There are no machines yet. A planner adds them.` : t`Nothing stands. Well done.`}
        </Empty>
      )}
      {lines.map((code) => (
        <LinePanel key={code ?? ""} code={code} machines={shown.filter((one) => one.line === code)} />
      ))}
    </MachinesFrame>
  );
}

function LinePanel({ code, machines }: { code: string | null; machines: Andon[] }) {
  const { t } = useLingui();
  const lines = useLines(useSite());
  const title = lines.data?.find(({ line }) => line.code === code)?.line.title ?? code;
  return (
    <Panel title={title ?? t`Without a line`}>
      <ul className="grid gap-3 sm:grid-cols-2 lg:grid-cols-3 xl:grid-cols-4">
        {machines.map((one) => (
          <li key={one.machine}>
            <AndonTile of={one} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Totals({ of }: { of: Andon[] }) {
  const count = (states: string[]) => formatNumber(of.filter((one) => states.includes(one.state)).length);
  const standing = formatNumber(of.filter((one) => isStanding(one.state)).length);
  return (
    <p role="status" className="text-soft">
      <Trans>
        Machines: {formatNumber(of.length)} · running: {count(["running"])} · set-up: {count(["setup"])} · standing:{" "}
        {standing}
      </Trans>
    </p>
  );
}
