// The application shell opens without a network. Data never passes through here: REST, Auth, Realtime go straight out.
const SHELL = `takt-shell-${VERSION}`;
const EXTRAS = "takt-extras"; // large parts that only some people need, kept once fetched
const SHELLS = 2; // a tab that was not reloaded yet still loads pages of the build before
const OURS = /^\/(assets\/|icon\.svg$|manifest\.webmanifest$)/;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll([...FILES, "/config.json", "/icon.svg"])));
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    const shells = (await caches.keys()).filter((name) => name.startsWith("takt-shell-")); // oldest first
    const old = shells.filter((name) => name !== SHELL).slice(0, Math.max(0, shells.length - SHELLS));
    await Promise.all([EXTRAS, ...old].map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

self.addEventListener("message", (event) => {
  if (event.data === "take over") self.skipWaiting();
  if (event.data === "files") event.ports[0].postMessage(FILES);
});

/** Of this build first: the one before has a page of the same address. */
async function find(request) {
  const options = { ignoreVary: true };
  return (await (await caches.open(SHELL)).match(request, options)) ?? caches.match(request, options);
}

async function fromCache(request) {
  const kept = await find(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await (await caches.open(EXTRAS)).put(request, answer.clone());
  return answer;
}

/** The network first, so that a new version is seen at once; what was kept when there is no network within 3 s. */
async function fromNetwork(request, key) {
  const kept = await find(key);
  try {
    const answer = await fetch(request, kept ? { signal: AbortSignal.timeout(3000) } : {});
    if (answer.ok && key !== "/") await (await caches.open(SHELL)).put(key, answer.clone());
    return answer.ok || !kept ? answer : kept;
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
}

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin) return;
  if (OURS.test(url.pathname)) event.respondWith(fromCache(event.request));
  else if (event.request.mode === "navigate") event.respondWith(fromNetwork(event.request.url, "/"));
  else if (url.pathname === "/config.json") event.respondWith(fromNetwork("/config.json", "/config.json"));
});
