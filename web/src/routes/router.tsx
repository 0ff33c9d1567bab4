import { createRoute, createRouter, lazyRouteComponent, type RouteComponent, redirect } from "@tanstack/react-router";
import { stockSearch } from "@/features/inventory/search";
import { farmSearch } from "@/features/print-farm/search";
import { productionSearch } from "@/features/production/search";
import { unitSearch } from "@/features/units/search";
import { BoardPage } from "@/features/workflows/board";
import { boardSearch } from "@/features/workflows/search";
import { may, session } from "@/lib/session";
import { root, shell } from "./frame";
import { machineRoutes, machineScreens } from "./machines";

/** Where people land: those who lead see how it stands, those who make see what is to be made. */
function landing(): "/dashboard" | "/board" {
  return may(session.get().who, "orders.assign") ? "/dashboard" : "/board";
}

const filteredPage = <P extends string>(path: P, component: RouteComponent) =>
  createRoute({ getParentRoute: () => shell, path, component, validateSearch: boardSearch });
const farmPage = <P extends string>(path: P, component: RouteComponent) =>
  createRoute({ getParentRoute: () => shell, path, component, validateSearch: farmSearch });
const stockPage = <P extends string>(path: P, component: RouteComponent) =>
  createRoute({ getParentRoute: () => shell, path, component, validateSearch: stockSearch });
const unitPage = <P extends string>(path: P, component: RouteComponent) =>
  createRoute({ getParentRoute: () => shell, path, component, validateSearch: unitSearch });
const productionPage = <P extends string>(path: P, component: RouteComponent) =>
  createRoute({ getParentRoute: () => shell, path, component, validateSearch: productionSearch });
const page = <P extends string>(path: P, component: RouteComponent) =>
  createRoute({ getParentRoute: () => shell, path, component });
/** An address of before, kept for bookmarks. */
const moved = (path: string, to: "/print-farm" | "/print-farm/$part") =>
  createRoute({
    getParentRoute: () => root,
    path,
    beforeLoad: ({ params }) => {
      throw redirect({ to, params, search: true, replace: true } as never);
    },
  });

const routes = root.addChildren([
  createRoute({
    getParentRoute: () => root,
    path: "/",
    beforeLoad: () => {
      if (session.get().status === "in") throw redirect({ to: landing() });
    },
  }),
  moved("farm", "/print-farm"),
  moved("farm/$part", "/print-farm/$part"),
  createRoute({
    getParentRoute: () => root,
    path: "/monitor",
    validateSearch: boardSearch,
    component: lazyRouteComponent(() => import("./monitor"), "MonitorRoute"),
  }),
  ...machineScreens,
  createRoute({
    getParentRoute: () => root,
    path: "/orders/$id/slip",
    component: lazyRouteComponent(() => import("@/features/workflows/slip"), "SlipPage"),
  }),
  shell.addChildren([
    filteredPage("/board", BoardPage),
    filteredPage(
      "/queue",
      lazyRouteComponent(() => import("@/features/workflows/queue"), "QueuePage"),
    ),
    filteredPage(
      "/dashboard",
      lazyRouteComponent(() => import("@/features/workflows/dashboard"), "DashboardPage"),
    ),
    page(
      "/orders/$id",
      lazyRouteComponent(() => import("@/features/workflows/order"), "OrderPage"),
    ),
    page(
      "/scan",
      lazyRouteComponent(() => import("@/features/workflows/scan/page"), "ScanPage"),
    ),
    page(
      "/outbox",
      lazyRouteComponent(() => import("@/features/core/outbox"), "OutboxPage"),
    ),
    page(
      "/scan/check",
      lazyRouteComponent(() => import("@/features/workflows/scan/check"), "ScanCheckPage"),
    ),
    page(
      "/channels",
      lazyRouteComponent(() => import("@/features/shopify/channels"), "ChannelsPage"),
    ),
    page(
      "/printing",
      lazyRouteComponent(() => import("@/features/printing/page"), "PrintingPage"),
    ),
    page(
      "/printing/$part",
      lazyRouteComponent(() => import("@/features/printing/page"), "PrintingPage"),
    ),
    page(
      "/printing/jobs/$id",
      lazyRouteComponent(() => import("@/features/printing/job"), "JobPage"),
    ),
    page(
      "/printing/templates/$code",
      lazyRouteComponent(() => import("@/features/printing/template"), "TemplatePage"),
    ),
    farmPage(
      "/print-farm",
      lazyRouteComponent(() => import("@/features/print-farm/page"), "FarmPage"),
    ),
    farmPage(
      "/print-farm/$part",
      lazyRouteComponent(() => import("@/features/print-farm/page"), "FarmPage"),
    ),
    stockPage(
      "/stock",
      lazyRouteComponent(() => import("@/features/inventory/page"), "StockPage"),
    ),
    stockPage(
      "/stock/$part",
      lazyRouteComponent(() => import("@/features/inventory/page"), "StockPage"),
    ),
    stockPage(
      "/stock/item",
      lazyRouteComponent(() => import("@/features/inventory/item"), "ItemPage"),
    ),
    page(
      "/stock/counts/$id",
      lazyRouteComponent(() => import("@/features/inventory/count"), "CountPage"),
    ),
    unitPage(
      "/units",
      lazyRouteComponent(() => import("@/features/units/list"), "UnitsPage"),
    ),
    unitPage(
      "/units/finished",
      lazyRouteComponent(() => import("@/features/units/finished"), "FinishedPage"),
    ),
    unitPage(
      "/units/yield",
      lazyRouteComponent(() => import("@/features/units/yield"), "YieldPage"),
    ),
    unitPage(
      "/units/kits",
      lazyRouteComponent(() => import("@/features/units/kits"), "KitsPage"),
    ),
    unitPage(
      "/units/$sn",
      lazyRouteComponent(() => import("@/features/units/unit"), "UnitPage"),
    ),
    unitPage(
      "/variants",
      lazyRouteComponent(() => import("@/features/units/variants"), "VariantsPage"),
    ),
    unitPage(
      "/recall",
      lazyRouteComponent(() => import("@/features/units/recall"), "RecallPage"),
    ),
    unitPage(
      "/station",
      lazyRouteComponent(() => import("@/features/units/station/page"), "StationPage"),
    ),
    unitPage(
      "/station/$part",
      lazyRouteComponent(() => import("@/features/units/station/page"), "StationPage"),
    ),
    productionPage(
      "/station/work",
      lazyRouteComponent(() => import("@/features/production/station/page"), "WorkStationPage"),
    ),
    productionPage(
      "/production",
      lazyRouteComponent(() => import("@/features/production/board"), "BoardPage"),
    ),
    productionPage(
      "/production/orders/$code",
      lazyRouteComponent(() => import("@/features/production/order"), "ProductionOrderPage"),
    ),
    productionPage(
      "/production/lots/$code",
      lazyRouteComponent(() => import("@/features/production/lot"), "LotPage"),
    ),
    productionPage(
      "/production/centres",
      lazyRouteComponent(() => import("@/features/production/centres"), "CentresPage"),
    ),
    productionPage(
      "/production/routings",
      lazyRouteComponent(() => import("@/features/production/routings"), "RoutingsPage"),
    ),
    productionPage(
      "/production/import",
      lazyRouteComponent(() => import("@/features/production/import"), "ImportPage"),
    ),
    productionPage(
      "/production/approvals",
      lazyRouteComponent(() => import("@/features/production/approvals"), "ApprovalsPage"),
    ),
    productionPage(
      "/production/quality",
      lazyRouteComponent(() => import("@/features/production/quality"), "QualityPage"),
    ),
    ...machineRoutes,
    page(
      "/admin",
      lazyRouteComponent(() => import("@/features/core/admin"), "AdminPage"),
    ),
    page(
      "/admin/$part",
      lazyRouteComponent(() => import("@/features/core/admin"), "AdminPage"),
    ),
  ]),
]);

export const router = createRouter({ routeTree: routes, defaultPreload: false, scrollRestoration: false });

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
