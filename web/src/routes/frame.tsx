import { createRootRoute, createRoute, Outlet, useRouterState } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { AutoLock } from "@/features/core/auto-lock";
import { Shell } from "@/features/core/shell";
import { SignInPage } from "@/features/core/sign-in";
import { session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Loading } from "@/ui/states";
import { Missing, RouteProblem } from "./problems";

const LockPage = lazy(() => import("@/features/core/lock"));

function Root() {
  const { status } = useStore(session);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const pages = (
    <>
      <AutoLock />
      <Outlet />
    </>
  );
  if (path.startsWith("/report/")) return pages; // the code on a machine needs no account
  if (status === "starting") return <Loading />;
  if (status === "locked") {
    return (
      <Suspense fallback={<Loading />}>
        <LockPage />
      </Suspense>
    );
  }
  return status === "out" ? <SignInPage /> : pages;
}

/** What everything is in. */
export const root = createRootRoute({ component: Root, notFoundComponent: Missing, errorComponent: RouteProblem });
/** What pages of people who are signed in are in. */
export const shell = createRoute({ getParentRoute: () => root, id: "shell", component: Shell });
