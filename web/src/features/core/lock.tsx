import { Trans, useLingui } from "@lingui/react/macro";
import { IdCard, LogOut, Search } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useSetting } from "@/features/settings/queries";
import { signal } from "@/lib/feedback";
import { explain } from "@/lib/messages";
import { WEDGE_DEFAULTS } from "@/lib/scan/machine";
import { captureWedge } from "@/lib/scan/wedge";
import { session, signOut } from "@/lib/session";
import { isBadge, recentPeople, unlockByBadge } from "@/lib/station";
import { useStore } from "@/lib/store";
import type { Staff } from "@/lib/types";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Input } from "@/ui/field";
import { Pending } from "@/ui/states";
import { PinPad } from "./pin-pad";
import { useStationPeople } from "./queries";

type Choice = Pick<Staff, "user_id" | "full_name">;

/** A shared station before anybody has said who they are: a badge, or a name and a PIN. */
export default function LockPage() {
  const { station } = useStore(session);
  const [chosen, setChosen] = useState<Choice | null>(null);
  const [leaving, setLeaving] = useState(false);
  const badge = useBadge();
  return (
    <main className="flex min-h-full flex-col items-center gap-6 p-4 sm:justify-center">
      <header className="flex items-center gap-4">
        <img src="/icon.svg" alt="" className="size-14" />
        <div>
          <h1 className="text-3xl font-bold">
            <Trans>Who works here?</Trans>
          </h1>
          <p className="text-soft">
            <Trans>Station {station?.name}</Trans>
          </p>
        </div>
      </header>
      <p
        role="status"
        className="flex min-h-14 w-full max-w-3xl items-center gap-3 rounded-xl bg-accent-bg px-4 text-lg text-accent"
      >
        <IdCard aria-hidden className="size-7 shrink-0" />
        {badge.busy ? <Trans>Reading the badge …</Trans> : <Trans>Scan your badge, or choose your name.</Trans>}
      </p>
      {badge.problem && (
        <p role="alert" className="font-medium text-bad">
          {badge.problem}
        </p>
      )}
      {chosen ? <PinPad person={chosen} onBack={() => setChosen(null)} /> : <People onChoose={setChosen} />}
      <Button look="quiet" className="text-soft" onClick={() => setLeaving(true)}>
        <LogOut aria-hidden className="size-5" /> <Trans>This is not a station any more</Trans>
      </Button>
      {leaving && <LeaveDialog onClose={() => setLeaving(false)} />}
    </main>
  );
}

/** Hears badges wherever the focus is. */
function useBadge(): { busy: boolean; problem: string | null } {
  const { t } = useLingui();
  const { station } = useStore(session);
  const keyGapMs = useSetting<number>({ site: station?.site ?? undefined }, "scan.key_gap_ms", WEDGE_DEFAULTS.keyGapMs);
  const [state, setState] = useState<{ busy: boolean; problem: string | null }>({ busy: false, problem: null });
  const words = useRef({ other: "", cut: "" });
  words.current = {
    other: t`That is not a badge. Say who you are first.`,
    cut: t`Only a part of the code was read. Scan again.`,
  };
  useEffect(() => {
    async function take(code: string): Promise<void> {
      if (!isBadge(code)) {
        signal("bad");
        return setState({ busy: false, problem: words.current.other });
      }
      signal("read");
      setState({ busy: true, problem: null });
      try {
        await unlockByBadge(code);
        signal("ok");
      } catch (error) {
        signal("bad");
        setState({ busy: false, problem: explain(error) });
      }
    }
    return captureWedge(
      {
        onScan: (code) => void take(code),
        onCut: () => setState({ busy: false, problem: words.current.cut }),
        onKey: () => undefined,
      },
      { ...WEDGE_DEFAULTS, keyGapMs },
    );
  }, [keyGapMs]);
  return state;
}

const SHOWN = 30;

function People({ onChoose }: { onChoose: (person: Choice) => void }) {
  const { t } = useLingui();
  const staff = useStationPeople();
  const recent = useStore(recentPeople);
  const [search, setSearch] = useState("");
  const rank = (one: Choice) => (recent.includes(one.user_id) ? recent.indexOf(one.user_id) : recent.length);
  const people = (staff.data ?? [])
    .filter((one) => one.full_name.toLowerCase().includes(search.trim().toLowerCase()))
    .sort((a, b) => rank(a) - rank(b) || a.full_name.localeCompare(b.full_name));
  return (
    <section aria-label={t`People`} className="flex w-full max-w-3xl flex-col gap-3">
      {(staff.data?.length ?? 0) > 9 && (
        <div className="relative">
          <Search aria-hidden className="pointer-events-none absolute top-3 left-3 text-soft" />
          <Input
            quiet
            label={t`Search a name`}
            placeholder={t`Search a name`}
            className="pl-11"
            autoComplete="off"
            value={search}
            onChange={(event) => setSearch(event.target.value)}
          />
        </div>
      )}
      <Pending of={staff} />
      {staff.data && people.length === 0 && (
        <p className="rounded-xl bg-panel p-6 text-center text-soft">
          {search ? <Trans>Nobody has such a name here.</Trans> : <Trans>Nobody works at this site yet.</Trans>}
        </p>
      )}
      <ul className="grid gap-2 sm:grid-cols-2 lg:grid-cols-3">
        {people.slice(0, SHOWN).map((one) => (
          <li key={one.user_id}>
            <Button className="min-h-16 w-full justify-start text-lg" onClick={() => onChoose(one)}>
              {one.full_name}
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function LeaveDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLingui();
  return (
    <Dialog
      open
      onClose={onClose}
      title={t`Sign this station out?`}
      note={t`To make it a station again, a manager needs a new code from the Devices page.`}
    >
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>
          <Trans>Keep it</Trans>
        </Button>
        <Button look="danger" onClick={() => void signOut()}>
          <Trans>Sign out</Trans>
        </Button>
      </div>
    </Dialog>
  );
}
