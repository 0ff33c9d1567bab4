import { Trans, useLingui } from "@lingui/react/macro";
import { useNavigate, useParams } from "@tanstack/react-router";
import { CircleX } from "lucide-react";
import { useState } from "react";
import { useStaffName, useZone } from "@/features/core/queries";
import { session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { formatInstant } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button, LinkButton } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Page } from "@/ui/page";
import { Empty, Pending } from "@/ui/states";
import { giveStock } from "./act";
import { CountResult } from "./count-result";
import { CountSheet } from "./count-sheet";
import { forget } from "./drafts";
import { useCount, usePlaceName } from "./queries";
import type { CountAnswer } from "./types";
import { countState, countTone } from "./words";

/** One count: its sheet for whoever counts, its differences for whoever decides. */
export function CountPage() {
  const { t } = useLingui();
  const { id } = useParams({ strict: false }) as { id: string };
  const count = useCount(Number(id));
  return (
    <Page
      title={t`Count ${id}`}
      tools={<LinkButton to="/stock/$part" params={{ part: "counts" }}>{t`All counts`}</LinkButton>}
    >
      <Pending of={count} />
      {count.data === null && <Empty>{t`There is no such count.`}</Empty>}
      {count.data && <Detail answer={count.data} />}
    </Page>
  );
}

function Detail({ answer }: { answer: CountAnswer }) {
  const { who } = useStore(session);
  const zone = useZone();
  const staffName = useStaffName();
  const placeName = usePlaceName();
  const { count_row: count, lines } = answer;
  const isOpen = ["open", "recount", "approval"].includes(count.status);
  const mine = count.started_by === who?.user_id;
  const toCount = lines.filter((line) => line.status === "open" || line.status === "recount");
  return (
    <>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <p className="mr-auto text-lg">
          <b>{placeName(count.location)}</b> · {staffName(count.started_by)} · {formatInstant(count.started_at, zone)}
          {count.note && ` · ${count.note}`}
        </p>
        <Badge tone={countTone(count.status)}>{countState(count.status)}</Badge>
        {isOpen && <GiveUp id={count.id} />}
      </div>
      {isOpen && mine && toCount.length > 0 && <CountSheet key={count.id} count={count.id} lines={toCount} />}
      <CountResult answer={answer} mine={mine} />
    </>
  );
}

function GiveUp({ id }: { id: number }) {
  const { t } = useLingui();
  const navigate = useNavigate();
  const [asking, setAsking] = useState(false);
  async function giveUp() {
    if (!(await giveStock("cancel_count", { p_count_id: id }, t`Count ${id} is given up.`))) return;
    forget(id);
    void navigate({ to: "/stock/$part", params: { part: "counts" } });
  }
  return (
    <>
      <Button look="danger" onClick={() => setAsking(true)}>
        <CircleX aria-hidden className="size-5" /> <Trans>Give up</Trans>
      </Button>
      {asking && (
        <Dialog
          open
          onClose={() => setAsking(false)}
          title={t`Give up count ${id}?`}
          note={t`What was booked stays booked. Figures that were not booked are dropped.`}
        >
          <div className="flex justify-end gap-2">
            <Button onClick={() => setAsking(false)}>
              <Trans>Go on counting</Trans>
            </Button>
            <Button look="danger" onClick={() => void giveUp()}>
              <Trans>Give up</Trans>
            </Button>
          </div>
        </Dialog>
      )}
    </>
  );
}
