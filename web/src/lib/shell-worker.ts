import { createStore } from "./store";

/** True when a newer build is ready than the one this page runs. Nothing reloads by itself: work may be under way. */
export const newVersion = createStore(false);

const LOOK_MS = 15 * 60_000;
const TAKE_OVER_MS = 3000;

/** Whether the build that a worker keeps is the one this page was loaded from. */
function isOurs(worker: ServiceWorker): Promise<boolean> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => resolve((data as string[]).includes(new URL(import.meta.url).pathname));
    worker.postMessage("files", [port2]);
  });
}

async function look(worker: ServiceWorker | null): Promise<void> {
  if (!worker) return;
  const ours = await isOurs(worker);
  // Pages come from the network first: a page may be of the new build before its worker is.
  if (ours) worker.postMessage("take over");
  newVersion.set(!ours);
}

/** Lets the newer build take over, and loads it. */
export async function reloadNew(): Promise<void> {
  const { serviceWorker } = navigator;
  const registration = await serviceWorker.getRegistration();
  serviceWorker.addEventListener("controllerchange", () => location.reload());
  setTimeout(() => location.reload(), registration?.waiting ? TAKE_OVER_MS : 0);
  registration?.waiting?.postMessage("take over");
}

function watch(registration: ServiceWorkerRegistration): void {
  const { serviceWorker } = navigator;
  void look(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const fresh = registration.installing;
    fresh?.addEventListener("statechange", () => {
      if (fresh.state === "installed" && serviceWorker.controller) void look(fresh);
    });
  });
  // Another tab let the new build take over.
  let controlled = serviceWorker.controller !== null;
  serviceWorker.addEventListener("controllerchange", () => {
    if (controlled) void look(serviceWorker.controller);
    controlled = true;
  });
  setInterval(() => void registration.update().catch(() => undefined), LOOK_MS);
}

/** Installs the service worker of a build and looks for newer ones. */
export function startShell(): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  void navigator.serviceWorker.register("/sw.js").then(watch);
}
