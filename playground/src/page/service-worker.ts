/** Service worker: caches exactly the built files, once, under a name with their hash. The build fills in both. */

import { PREFIX } from "./offline";

declare const FILES: readonly string[];
declare const VERSION: string;

declare const self: ServiceWorkerGlobalScope;
const NAME = PREFIX + VERSION;

self.addEventListener("install", (event) => {
  event.waitUntil(store());
});

self.addEventListener("activate", (event) => {
  event.waitUntil(removeOldVersions());
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method === "GET" && url.origin === self.location.origin) event.respondWith(answer(event.request));
});

async function store(): Promise<void> {
  const cache = await caches.open(NAME);
  await cache.addAll(FILES.map((file) => new Request(new URL(file, self.registration.scope), { cache: "no-cache" })));
}

async function removeOldVersions(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(
    names.filter((name) => name.startsWith(PREFIX) && name !== NAME).map((name) => caches.delete(name)),
  );
  await self.clients.claim();
}

async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(NAME);
  const url = new URL(request.url);
  const page = request.mode === "navigate" && url.pathname === new URL(self.registration.scope).pathname;
  const known = await cache.match(page ? new URL("index.html", self.registration.scope) : request, {
    ignoreSearch: true,
  });
  return known ?? fetch(request);
}
