import { Trans, useLingui } from "@lingui/react/macro";
import { useParams } from "@tanstack/react-router";
import { Unanswered } from "@/features/core/unanswered";
import { useMachine } from "@/features/maintenance/queries";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatNumber } from "@/lib/time";
import { LinkButton } from "@/ui/button";
import { ChartPatterns } from "@/ui/charts/patterns";
import { Page, Panel } from "@/ui/page";
import { Pending, Trouble } from "@/ui/states";
import { useMachineScan } from "./frame";
import { MachineActions } from "./machine-actions";
import { Plans, Repairs } from "./machine-work";
import { MachineNotices } from "./notices";
import { MachineNow } from "./now";
import { OeeFigures, Waterfall } from "./oee-figures";
import { type Scope, type Span, useAndon, useLosses, useOee, useStops, useTimeline } from "./queries";
import { frequent, StopList } from "./stop-list";
import { Timeline } from "./timeline";
import type { Andon } from "./types";

/** The shift that is on, else today: what the server takes when nothing is asked. */
const NOW: Span = { p_from: null, p_to: null };

/** One machine: what it does, what it lost, why it stood, what is wrong with it. */
export function MachinePage() {
  const { t } = useLingui();
  const { who } = useStore(session);
  const { code } = useParams({ strict: false }) as { code: string };
  useMachineScan();
  const andon = useAndon({ machine: code });
  const now = andon.data?.[0];
  const detail = useMachine(code, may(who, "maintenance.read"));
  return (
    <Page
      title={detail.data?.machine.name ?? now?.name ?? code}
      tools={
        <LinkButton to="/machines">
          <Trans>All machines</Trans>
        </LinkButton>
      }
    >
      <ChartPatterns />
      <Unanswered entity={code} />
      <MachineNotices machine={code} />
      <Pending of={andon} />
      {now && (
        <>
          <MachineNow of={now} />
          <MachineActions of={now} />
          <Shift of={now} />
        </>
      )}
      {andon.data?.length === 0 && <p className="text-soft">{t`This machine is not in use any more.`}</p>}
      <Trouble of={detail} />
      {detail.data && (
        <div className="grid items-start gap-4 lg:grid-cols-2">
          <Repairs of={detail.data} />
          <Plans of={detail.data} />
        </div>
      )}
    </Page>
  );
}

function Shift({ of }: { of: Andon }) {
  const { t } = useLingui();
  const scope: Scope = { p_machine: of.machine, p_line: null, p_work_centre: null, p_site: null };
  const oee = useOee(scope, NOW, "total");
  const losses = useLosses(scope, NOW);
  const timeline = useTimeline(of.machine, NOW);
  const stops = useStops({ ...NOW, p_machine: of.machine, p_site: null, p_only_unclassified: false });
  const figures = oee.data?.[0];
  const whole = stops.data?.filter((one) => one.kind === "stop") ?? [];
  const open = whole.filter((one) => one.reason === null);
  const named = whole.filter((one) => one.reason !== null);
  const title = of.shift ? t`This shift: ${of.shift}` : t`Today, without a shift`;
  return (
    <>
      {open.length > 0 && (
        <Panel title={t`Why did it stand?`}>
          <StopList stops={open} often={frequent(whole)} label={t`Stops without a reason`} />
        </Panel>
      )}
      <Panel title={title}>
        <Pending of={oee} />
        {figures && <OeeFigures ratios={figures.ratios} />}
        {figures && (
          <p className="mt-3 flex flex-wrap gap-x-4 text-lg">
            <span>
              <Trans>
                Good: <b>{formatNumber(figures.inputs.good)}</b>
              </Trans>
            </span>
            <span>
              <Trans>
                Scrap: <b>{formatNumber(figures.inputs.scrap)}</b>
              </Trans>
            </span>
            <span>
              <Trans>
                Rework: <b>{formatNumber(figures.inputs.rework)}</b>
              </Trans>
            </span>
            {figures.inputs.unscheduled_pieces > 0 && (
              <span>
                <Trans>
                  Out of planned time: <b>{formatNumber(figures.inputs.unscheduled_pieces)}</b>
                </Trans>
              </span>
            )}
          </p>
        )}
      </Panel>
      <Panel title={t`What it did`}>
        <Pending of={timeline} />
        {timeline.data && <Timeline pieces={timeline.data} until={of.shift_ends_at} />}
      </Panel>
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Panel title={t`Where the time went`}>
          <Pending of={losses} />
          {figures && losses.data && <Waterfall inputs={figures.inputs} ratios={figures.ratios} losses={losses.data} />}
        </Panel>
        <Panel title={t`Stops`}>
          <Pending of={stops} />
          {stops.data && named.length === 0 && <p className="text-soft">{t`No stop with a reason in this time.`}</p>}
          <StopList stops={named} often={[]} label={t`Stops with a reason`} />
        </Panel>
      </div>
    </>
  );
}
