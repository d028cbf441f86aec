import { workerUnderPolicy } from '../cpu/workerUnderPolicy.ts';
import { createEncoderClient } from '../worker/client.ts';
import workerUrl from '../worker/worker.ts?worker&url';
import { deniedMemory, isKnownTab } from './memory.ts';
import { isReadableLink, isSharedLink } from './shared.ts';
import { readShownParts } from './shownParts.ts';
import { type ClipscopeStore, createClipscopeStore } from './store.ts';
import { firstView, viewHash, viewOf } from './view.ts';
import { openVisit, wasTabStopped, wasVisitStopped } from './visit.ts';

/** One of the browser's storages; null where it is forbidden. */
function storageOrNull(name: 'localStorage' | 'sessionStorage'): Storage | null {
  try {
    return globalThis[name];
  } catch {
    return null;
  }
}

async function loadTokenizer() {
  const [{ createTokenizer }, merges] = await Promise.all([
    import('../tokens/tokenizer.ts'),
    fetch(`${import.meta.env.BASE_URL}clip-merges.txt`),
  ]);
  if (!merges.ok) throw new Error(`The tokenizer's vocabulary could not be loaded (${merges.status}).`);
  return createTokenizer(await merges.text());
}

/**
 * Shows the view that the address names. A shared link is opened once: afterwards the address is the page's own, and what
 * is typed survives a reload.
 */
function openAddress(store: ClipscopeStore) {
  const { hash } = location;
  const { embed } = store.getState().parts;
  const view = embed ? null : viewOf(hash);
  if (view) store.getState().show({ view });
  else if (hash === '' && !embed) store.getState().show({ view: firstView });
  if (!isSharedLink(hash) && !isReadableLink(hash)) return;
  // Views read these by themselves.
  const own = Array.from(hash.matchAll(/[#&]((?:lab\.|analysis=)[^&]*)/g), ([, parameter]) => `&${parameter}`).join('');
  history.replaceState(null, '', location.pathname + location.search + (view ? viewHash(view) + own : ''));
  void store.getState().openLink(hash);
}

/** Tells of errors that nobody has caught, those of event handlers, promises and listeners: each is a notice. */
function tellOfFaults(store: ClipscopeStore) {
  const tell = (error: unknown) => {
    if (error instanceof Error && error.name !== 'AbortError') store.getState().tellFault({ place: 'the page', error });
  };
  addEventListener('error', ({ error }) => tell(error));
  addEventListener('unhandledrejection', ({ reason }) => tell(reason));
}

/** Has the browser keep the page, once a model is in use: until then the visit waits for what would be fetched twice. */
function keepWhenReady(store: ClipscopeStore): void {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  const stop = store.subscribe(async ({ model, noEngine }) => {
    if (!model && noEngine === null) return;
    stop();
    const { keepOffline } = await import('./offline.ts');
    await keepOffline(serviceWorker, (newerBuild) => store.setState({ newerBuild }));
  });
}

/** Exchanges messages with the page around an embedded panel. */
async function talkToHost(store: ClipscopeStore, origin: string): Promise<void> {
  const { connectHost } = await import('./hostMessages.ts');
  const { hear, tellHeight } = connectHost(store, { window: window.parent, origin });
  addEventListener('message', hear);
  new ResizeObserver(([{ contentRect }]) => tellHeight(Math.ceil(contentRect.height))).observe(document.body);
}

/** Has the address follow what is on show. */
function followViews(store: ClipscopeStore): void {
  // A view that the page itself brings up gets its place in the history, so that Back leads to the one before.
  store.subscribe(({ view }, before) => {
    if (view !== before.view && view !== (viewOf(location.hash) ?? firstView))
      history.pushState(null, '', viewHash(view));
  });
}

/** The store of this page, with this browser's worker, storage, files and address behind it. */
export async function startClipscope(): Promise<ClipscopeStore> {
  const parts = readShownParts(location.search);
  // An embedded panel shows what its host says, and leaves what is remembered here to this page's own visits.
  const storage = parts.embed ? null : storageOrNull('localStorage');
  const tab = parts.embed ? null : storageOrNull('sessionStorage');
  // A tab that is loaded again goes on with its own work, so that another's does not count.
  const wasStopped = isKnownTab(tab) ? wasTabStopped(storage, tab) : await wasVisitStopped(storage, navigator.locks);
  const visit = await openVisit(storage, navigator.locks, tab);
  const store = createClipscopeStore({
    connect: (onLost) =>
      createEncoderClient({
        startWorker: () => workerUnderPolicy(workerUrl),
        onLost,
        locks: navigator.locks,
      }),
    loadTokenizer,
    memory: parts.embed ? null : (storage ?? deniedMemory),
    tab,
    parts,
    visit,
    wasStopped,
    persist: async () => navigator.storage?.persist?.(),
  });
  tellOfFaults(store);
  if (import.meta.env.PROD && !parts.embed) keepWhenReady(store);
  if (parts.embed && window.parent !== window) void talkToHost(store, parts.host ?? location.origin);
  openAddress(store);
  addEventListener('hashchange', () => openAddress(store));
  // The history of a frame is its host's.
  if (!parts.embed) followViews(store);
  addEventListener('pagehide', () => {
    store.getState().notePrompts();
    visit.leave();
  });
  return store;
}
