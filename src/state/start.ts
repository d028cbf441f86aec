import { createEncoderClient } from '../worker/client.ts';
import { deniedMemory } from './memory.ts';
import { isSharedLink } from './shared.ts';
import { type ClipscopeStore, createClipscopeStore } from './store.ts';
import { firstView, viewHash, viewOf } from './view.ts';
import { openVisit, wasVisitStopped } from './visit.ts';

/** The browser's storage; null where it is forbidden. */
function localStorageOrNull(): Storage | null {
  try {
    return localStorage;
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
  const view = viewOf(hash);
  if (view) store.getState().show({ view });
  else if (hash === '') store.getState().show({ view: firstView });
  if (!isSharedLink(hash)) return;
  history.replaceState(null, '', location.pathname + location.search + (view ? viewHash(view) : ''));
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

/** The store of this page, with this browser's worker, storage, files and address behind it. */
export async function startClipscope(): Promise<ClipscopeStore> {
  const storage = localStorageOrNull();
  const wasStopped = await wasVisitStopped(storage, navigator.locks);
  const visit = await openVisit(storage, navigator.locks);
  const store = createClipscopeStore({
    connect: (onLost) =>
      createEncoderClient({
        startWorker: () => new Worker(new URL('../worker/worker.ts', import.meta.url), { type: 'module' }),
        onLost,
        locks: navigator.locks,
      }),
    loadTokenizer,
    memory: storage ?? deniedMemory,
    visit,
    wasStopped,
    persist: async () => navigator.storage?.persist?.(),
  });
  tellOfFaults(store);
  openAddress(store);
  addEventListener('hashchange', () => openAddress(store));
  // A view that the page itself brings up gets its place in the history, so that Back leads to the one before.
  store.subscribe(({ view }, before) => {
    if (view !== before.view && view !== (viewOf(location.hash) ?? firstView))
      history.pushState(null, '', viewHash(view));
  });
  addEventListener('pagehide', () => {
    store.getState().notePrompts();
    visit.end();
  });
  return store;
}
