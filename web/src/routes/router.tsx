import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  type RouteComponent,
  redirect,
} from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { Shell } from "@/features/core/shell";
import { SignInPage } from "@/features/core/sign-in";
import { BoardPage } from "@/features/workflows/board";
import { boardSearch } from "@/features/workflows/search";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Loading } from "@/ui/states";
import { Missing, RouteProblem } from "./problems";

const LockPage = lazy(() => import("@/features/core/lock"));

function Root() {
  const { status } = useStore(session);
  if (status === "starting") return <Loading />;
  if (status === "locked") {
    return (
      <Suspense fallback={<Loading />}>
        <LockPage />
      </Suspense>
    );
  }
  return status === "out" ? <SignInPage /> : <Outlet />;
}

const root = createRootRoute({ component: Root, notFoundComponent: Missing, errorComponent: RouteProblem });
const shell = createRoute({ getParentRoute: () => root, id: "shell", component: Shell });

/** Where people land: those who lead see how it stands, those who make see what is to be made. */
function landing(): "/dashboard" | "/board" {
  return may(session.get().who, "orders.assign") ? "/dashboard" : "/board";
}

const filteredPage = <P extends string>(path: P, component: RouteComponent) =>
  createRoute({ getParentRoute: () => shell, path, component, validateSearch: boardSearch });
const page = <P extends string>(path: P, component: RouteComponent) =>
  createRoute({ getParentRoute: () => shell, path, component });

const routes = root.addChildren([
  createRoute({
    getParentRoute: () => root,
    path: "/",
    beforeLoad: () => {
      if (session.get().status === "in") throw redirect({ to: landing() });
    },
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/monitor",
    validateSearch: boardSearch,
    component: lazyRouteComponent(() => import("./monitor"), "MonitorRoute"),
  }),
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
