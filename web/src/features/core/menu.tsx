import { Trans, useLingui } from "@lingui/react/macro";
import { Gauge, LockKeyhole, LogOut, Monitor } from "lucide-react";
import { outbox } from "@/lib/commands";
import { soundOn } from "@/lib/feedback";
import { LANGUAGES, type Language, language, setLanguage } from "@/lib/i18n";
import { may, session, signOut } from "@/lib/session";
import { lockStation } from "@/lib/station";
import { useStore } from "@/lib/store";
import { type Theme, theme } from "@/lib/theme";
import { Button, LinkButton } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Select, Switch } from "@/ui/field";
import { PinForm } from "./keys";
import { useZone } from "./queries";

/** Who I am, how this browser looks and sounds, shortcuts, and the way out. */
export default function MenuDialog({ onClose }: { onClose: () => void }) {
  const { t } = useLingui();
  const { who, station } = useStore(session);
  const chosen = useStore(language);
  const look = useStore(theme);
  const sound = useStore(soundOn);
  const waiting = useStore(outbox.entries).length;
  const zone = useZone();
  const shortcuts: [string, string][] = [
    ["S", t`Scan`],
    ["/", t`Search`],
    ["B", t`Board`],
    ["Q", t`My work`],
    ["D", t`Dashboard`],
    ["?", t`This menu`],
  ];
  return (
    <Dialog open onClose={onClose} title={who?.name ?? t`Menu`} note={<Trans>Plant time zone: {zone}</Trans>}>
      <div className="flex flex-col gap-4">
        <div className="grid gap-3 sm:grid-cols-2">
          <Select
            label={t`Language`}
            value={chosen}
            onChange={(event) => void setLanguage(event.target.value as Language)}
          >
            {Object.entries(LANGUAGES).map(([code, name]) => (
              <option key={code} value={code}>
                {name}
              </option>
            ))}
          </Select>
          <Select label={t`Colours`} value={look} onChange={(event) => theme.set(event.target.value as Theme)}>
            <option value="system">{t`As the system`}</option>
            <option value="light">{t`Light`}</option>
            <option value="dark">{t`Dark`}</option>
          </Select>
        </div>
        <Switch label={t`Sound`} checked={sound} onChange={(event) => soundOn.set(event.target.checked)} />
        <div>
          <h3 className="mb-1 text-sm text-soft">
            <Trans>Keys</Trans>
          </h3>
          <ul className="grid grid-cols-2 gap-1">
            {shortcuts.map(([key, does]) => (
              <li key={key} className="flex items-center gap-2">
                <kbd className="inline-flex h-8 min-w-8 items-center justify-center rounded border border-edge bg-sunk px-2 font-mono">
                  {key}
                </kbd>
                {does}
              </li>
            ))}
          </ul>
        </div>
        <LinkButton to="/monitor" onClick={onClose}>
          <Monitor aria-hidden /> <Trans>Wall display</Trans>
        </LinkButton>
        {may(who, "kpi.read") && (
          <LinkButton to="/andon" onClick={onClose}>
            <Gauge aria-hidden /> <Trans>Machines on the wall</Trans>
          </LinkButton>
        )}
        {waiting > 0 && (
          <p role="alert" className="rounded-lg bg-warn-bg p-3 text-warn">
            <Trans>Commands that are not sent yet stay on this device and go out when you sign in again.</Trans>
          </p>
        )}
        {station ? (
          <Button look="danger" onClick={() => void lockStation()}>
            <LockKeyhole aria-hidden /> <Trans>Lock the station</Trans>
          </Button>
        ) : (
          <>
            <PinForm user={null} />
            <Button look="danger" onClick={() => void signOut()}>
              <LogOut aria-hidden /> <Trans>Sign out</Trans>
            </Button>
          </>
        )}
      </div>
    </Dialog>
  );
}
