import { useLingui } from "@lingui/react/macro";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import {
  Boxes,
  ChartColumn,
  CloudUpload,
  Ellipsis,
  Factory,
  Gauge,
  LockKeyhole,
  type LucideIcon,
  Microchip,
  PackageCheck,
  Plug,
  Printer,
  Printer3d,
  ScanBarcode,
  Settings,
  SquareKanban,
  UserRoundCheck,
  Wrench,
} from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { ScanHost } from "@/features/workflows/scan/host";
import { openScan, scanConsole } from "@/features/workflows/scan/state";
import { outbox } from "@/lib/commands";
import { queries } from "@/lib/query";
import { follow } from "@/lib/realtime";
import { refetchAfter, refetchFailed } from "@/lib/refetch";
import { may, session } from "@/lib/session";
import { lockStation } from "@/lib/station";
import { useStore } from "@/lib/store";
import { cx } from "@/ui/cx";
import { Toasts } from "@/ui/toast";
import { LiveBanner } from "./live-banner";

const MenuDialog = lazy(() => import("./menu"));
// Read at once, beside the first page instead of before it.
const ScanPanel = lazy(async () => ({ default: (await import("@/features/workflows/scan/panel")).ScanPanel }));

interface Item {
  to: string;
  label: string;
  icon: LucideIcon;
  shown?: boolean;
}

function useItems(): Item[] {
  const { t } = useLingui();
  const { who } = useStore(session);
  return [
    { to: "/board", label: t`Board`, icon: SquareKanban },
    { to: "/queue", label: t`My work`, icon: UserRoundCheck },
    { to: "/scan", label: t`Scan`, icon: ScanBarcode },
    { to: "/dashboard", label: t`Dashboard`, icon: ChartColumn },
    { to: "/printing", label: t`Labels`, icon: Printer, shown: may(who, "printing.read") },
    { to: "/print-farm", label: t`Print farm`, icon: Printer3d, shown: may(who, "farm.read") },
    { to: "/stock", label: t`Stock`, icon: Boxes, shown: may(who, "inventory.read") },
    { to: "/units", label: t`Units`, icon: Microchip, shown: may(who, "units.read") },
    { to: "/production", label: t`Production`, icon: Factory, shown: may(who, "production.read") },
    {
      to: may(who, "units.pack") ? "/station" : "/station/work",
      label: t`Stations`,
      icon: PackageCheck,
      shown: may(who, "units.pack") || may(who, "production.run"),
    },
    { to: "/machines", label: t`Machines`, icon: Gauge, shown: may(who, "kpi.read") },
    { to: "/maintenance", label: t`Repairs`, icon: Wrench, shown: may(who, "maintenance.read") },
    { to: "/channels", label: t`Channels`, icon: Plug, shown: may(who, "channels.read") },
    { to: "/admin", label: t`Admin`, icon: Settings, shown: may(who, "staff.manage") || may(who, "settings.manage") },
  ].filter((item) => item.shown !== false);
}

/** Follows the plant while somebody is signed in. */
export function useLive(): void {
  const user = useStore(session).who?.user_id;
  useEffect(() => {
    if (!user) return;
    return follow(refetchAfter, () => void queries.invalidateQueries(), refetchFailed);
  }, [user]);
}

/** What stands around every page: navigation, the scanner, what waits, how fresh the screen is. */
export function Shell() {
  const { t } = useLingui();
  const [menu, setMenu] = useState(false);
  const main = useRef<HTMLElement>(null);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const { open } = useStore(scanConsole);
  useLive();
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new page begins at its top
  useEffect(() => {
    main.current?.scrollTo(0, 0);
  }, [path]);
  const onScanPage = path.startsWith("/scan");
  return (
    <div className="flex h-dvh flex-col lg:flex-row">
      <a href="#main" className="sr-only z-50 rounded-lg bg-accent p-3 text-on-accent focus:not-sr-only focus:absolute">
        {t`Skip to the content`}
      </a>
      <Navigation onMenu={() => setMenu(true)} />
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <LiveBanner />
        <main id="main" ref={main} tabIndex={-1} className="min-h-0 flex-1 overflow-y-auto outline-none">
          <Outlet />
        </main>
      </div>
      {!onScanPage && !open && (
        <button
          type="button"
          onClick={openScan}
          className="no-print fixed right-4 bottom-20 z-20 flex h-16 items-center gap-2 rounded-full bg-accent px-5 text-lg font-semibold
            text-on-accent shadow-xl lg:bottom-4"
        >
          <ScanBarcode aria-hidden /> {t`Scan`}
        </button>
      )}
      <Suspense fallback={null}>{!onScanPage && <ScanPanel />}</Suspense>
      {path !== "/scan/check" && <ScanHost onHelp={() => setMenu(true)} />}
      <Toasts />
      {menu && (
        <Suspense fallback={null}>
          <MenuDialog onClose={() => setMenu(false)} />
        </Suspense>
      )}
    </div>
  );
}

const ITEM =
  "relative flex min-h-14 min-w-14 flex-1 flex-col items-center justify-center gap-0.5 rounded-xl px-1 text-xs lg:flex-none lg:py-2 lg:text-sm";

function Navigation({ onMenu }: { onMenu: () => void }) {
  const { t } = useLingui();
  const items = useItems();
  return (
    <nav
      aria-label={t`Pages`}
      className="no-print order-last flex shrink-0 gap-1 border-line bg-panel p-1 max-lg:overflow-x-auto max-lg:border-t lg:order-first
        lg:w-28 lg:flex-col lg:overflow-y-auto lg:border-r lg:p-2"
    >
      <img src="/icon.svg" alt="Takt" className="mx-auto my-2 hidden size-12 lg:block" />
      {items.map(({ to, label, icon: Icon }) => (
        <Link
          key={to}
          to={to}
          className={ITEM}
          activeProps={{ className: "bg-accent-bg text-accent font-semibold" }}
          inactiveProps={{ className: "text-soft hover:bg-sunk" }}
          activeOptions={{ includeSearch: false }}
        >
          <Icon aria-hidden className="size-6" />
          <span className="text-center leading-tight">{label}</span>
        </Link>
      ))}
      <span className="hidden flex-1 lg:block" />
      <WaitingLink />
      <LockButton />
      <button type="button" className={cx(ITEM, "text-soft hover:bg-sunk")} onClick={onMenu}>
        <Ellipsis aria-hidden className="size-6" />
        {t`Menu`}
      </button>
    </nav>
  );
}

/** At a shared station: who stands here, and "not you?" in one tap. */
function LockButton() {
  const { t } = useLingui();
  const { station, who } = useStore(session);
  if (!station || !who) return null;
  return (
    <button
      type="button"
      aria-label={t`Lock: ${who.name} leaves the station`}
      className={cx(ITEM, "bg-ok-bg font-semibold text-ok")}
      onClick={() => void lockStation()}
    >
      <LockKeyhole aria-hidden className="size-6" />
      <span className="line-clamp-2 text-center leading-tight">{who.name}</span>
    </button>
  );
}

/** The honest badge: how many commands the server has not had yet. */
function WaitingLink() {
  const { t } = useLingui();
  const entries = useStore(outbox.entries);
  if (entries.length === 0) return null;
  const refused = entries.some((entry) => entry.state !== "waiting"); // only a person can decide about it
  return (
    <Link to="/outbox" className={cx(ITEM, "font-semibold", refused ? "bg-bad-bg text-bad" : "bg-warn-bg text-warn")}>
      <CloudUpload aria-hidden className="size-6" />
      <span className="text-center leading-tight">
        {refused ? t`Look here: ${entries.length}` : t`Not sent: ${entries.length}`}
      </span>
    </Link>
  );
}
