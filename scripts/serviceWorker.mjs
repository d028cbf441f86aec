// Keeps the page in the browser, so that it opens without a network. The build writes a line before this text that holds
// `build`: its version, the name of its first script, and each of its files: with its SHA-256 (none for pages, which some
// hosts rewrite) and whether a host may leave it out.
/* global build */
const { scope } = self.registration;
// Other folders of the same host may hold other copies of the page.
const prefix = `clipscope ${scope} `;
const cacheName = prefix + build.version;

const addressOf = (name) => scope + (name === 'index.html' ? '' : name);

/** The name of the file at an address; undefined for addresses that are not the build's. */
function nameOf(url) {
  if (!url.startsWith(scope)) return undefined;
  const name = url.slice(scope.length).replace(/[?#].*/s, '') || 'index.html';
  return Object.hasOwn(build.files, name) ? name : undefined;
}

/** Fetches a file of this build, and rejects where the host has another by now. */
async function fetchFile(name) {
  const { integrity } = build.files[name];
  const response = await fetch(addressOf(name), { cache: 'no-cache', ...(integrity && { integrity }) });
  if (!response.ok) throw new Error(`${name} could not be fetched (${response.status}).`);
  if (!name.endsWith('.html')) return response;
  const page = await response.text();
  if (!page.includes(build.entry)) throw new Error(`${name} is of another build.`);
  // A host may lead from a page's address to another, which no answer to a navigation may tell.
  return new Response(page, { headers: response.headers });
}

async function keep(cache, name) {
  const address = addressOf(name);
  // An installation that was broken off goes on, and a file that is named by its contents is the same in every build.
  if (await cache.match(address)) return;
  const same = name.startsWith('assets/') ? await caches.match(address) : undefined;
  await cache.put(address, same ?? (await fetchFile(name)));
}

async function install() {
  const cache = await caches.open(cacheName);
  await Promise.all(
    Object.entries(build.files).map(([name, { mayBeAbsent }]) => {
      const kept = keep(cache, name);
      return mayBeAbsent ? kept.catch(() => {}) : kept;
    }),
  );
}

async function activate() {
  const others = (await caches.keys()).filter((name) => name.startsWith(prefix) && name !== cacheName);
  await Promise.all(others.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function answer(name) {
  const cache = await caches.open(cacheName);
  const kept = await cache.match(addressOf(name));
  if (kept) return kept;
  const response = await fetchFile(name);
  // A person may have emptied the browser's stores. Without room for the file, it is fetched anew the next time.
  cache.put(addressOf(name), response.clone()).catch(() => {});
  return response;
}

self.addEventListener('install', (event) => event.waitUntil(install()));
self.addEventListener('activate', (event) => event.waitUntil(activate()));
self.addEventListener('fetch', (event) => {
  const name = event.request.method === 'GET' ? nameOf(event.request.url) : undefined;
  if (name !== undefined) event.respondWith(answer(name));
});
// A newer build waits until a person takes it, or until no page of the one before is open: numbers never change in between.
self.addEventListener('message', ({ data }) => {
  if (data === 'use') self.skipWaiting();
});
