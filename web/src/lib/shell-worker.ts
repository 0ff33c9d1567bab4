/** Installs the service worker of a build. A new version takes over at the next quiet moment: when the page is hidden. */
export function startShell(): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  void navigator.serviceWorker.register("/sw.js").then((registration) => {
    const takeOver = () => {
      if (document.visibilityState === "hidden") registration.waiting?.postMessage("take over");
    };
    document.addEventListener("visibilitychange", takeOver);
    setInterval(() => void registration.update().catch(() => undefined), 30 * 60_000);
  });
}
