import { i18n } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { I18nProvider } from "@lingui/react";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { forgetScans } from "./features/workflows/scan/state";
import { drainOutbox, startOutbox } from "./lib/commands";
import { startLanguage } from "./lib/i18n";
import { forgetQueries, queries, rememberQueries, restoreQueries } from "./lib/query";
import { onLeave, refreshWho, session, startSession } from "./lib/session";
import { startShell } from "./lib/shell-worker";
import { connect } from "./lib/supabase";
import { startTheme } from "./lib/theme";
import { router } from "./routes/router";
import "./styles.css";

async function start(): Promise<void> {
  const place = document.getElementById("app");
  if (!place) throw new Error("no #app");
  startTheme();
  await startLanguage();
  try {
    await connect();
  } catch {
    place.textContent = i18n._(msg`The server cannot be reached. Reload when it is back.`);
    return;
  }
  await restoreQueries();
  rememberQueries();
  onLeave(forgetScans); // first: it forgets at once
  onLeave(forgetQueries);
  await startSession();
  startOutbox();
  // Who signs in later: their own waiting commands, and the page they land on.
  session.subscribe(() => {
    if (session.get().status === "in") void drainOutbox();
    void router.invalidate();
  });
  window.addEventListener("online", () => void refreshWho());
  createRoot(place).render(
    <StrictMode>
      <I18nProvider i18n={i18n}>
        <QueryClientProvider client={queries}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </I18nProvider>
    </StrictMode>,
  );
  startShell();
}

void start();
