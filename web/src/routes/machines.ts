import { createRoute, lazyRouteComponent, type RouteComponent } from "@tanstack/react-router";
import { machineSearch } from "@/features/machines/search";
import { maintenanceSearch } from "@/features/maintenance/search";
import { root, shell } from "./frame";

const machinePage = <P extends string>(path: P, component: RouteComponent) =>
  createRoute({ getParentRoute: () => shell, path, component, validateSearch: machineSearch });
const maintenancePage = <P extends string>(path: P, component: RouteComponent) =>
  createRoute({ getParentRoute: () => shell, path, component, validateSearch: maintenanceSearch });

/** Machine time and maintenance, inside of the shell. */
export const machineRoutes = [
  machinePage(
    "/machines",
    lazyRouteComponent(() => import("@/features/machines/andon"), "AndonPage"),
  ),
  machinePage(
    "/machine/$code",
    lazyRouteComponent(() => import("@/features/machines/machine"), "MachinePage"),
  ),
  machinePage(
    "/machines/stops",
    lazyRouteComponent(() => import("@/features/machines/stops"), "StopsPage"),
  ),
  machinePage(
    "/machines/micro",
    lazyRouteComponent(() => import("@/features/machines/micro"), "MicroPage"),
  ),
  machinePage(
    "/machines/oee",
    lazyRouteComponent(() => import("@/features/machines/oee"), "OeePage"),
  ),
  machinePage(
    "/machines/shift",
    lazyRouteComponent(() => import("@/features/machines/shift"), "ShiftPage"),
  ),
  machinePage(
    "/machines/reliability",
    lazyRouteComponent(() => import("@/features/machines/reliability"), "ReliabilityPage"),
  ),
  machinePage(
    "/machines/calendar",
    lazyRouteComponent(() => import("@/features/machines/calendar"), "CalendarPage"),
  ),
  machinePage(
    "/machines/handover",
    lazyRouteComponent(() => import("@/features/machines/handover"), "HandoverPage"),
  ),
  maintenancePage(
    "/maintenance",
    lazyRouteComponent(() => import("@/features/maintenance/board"), "RepairsPage"),
  ),
  maintenancePage(
    "/maintenance/history",
    lazyRouteComponent(() => import("@/features/maintenance/history"), "HistoryPage"),
  ),
  maintenancePage(
    "/maintenance/plans",
    lazyRouteComponent(() => import("@/features/maintenance/plans"), "PlansPage"),
  ),
  maintenancePage(
    "/maintenance/machines",
    lazyRouteComponent(() => import("@/features/maintenance/machines"), "MachinesPage"),
  ),
  maintenancePage(
    "/maintenance/repairs/$id",
    lazyRouteComponent(() => import("@/features/maintenance/repair"), "RepairPage"),
  ),
] as const;

/** Without the shell: the wall, and what the QR code of a machine opens. */
export const machineScreens = [
  createRoute({
    getParentRoute: () => root,
    path: "/andon",
    validateSearch: machineSearch,
    component: lazyRouteComponent(() => import("./andon"), "AndonRoute"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/report/$token",
    component: lazyRouteComponent(() => import("@/features/maintenance/report"), "ReportPage"),
  }),
] as const;
