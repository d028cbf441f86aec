import { createEncoderClient } from '../worker/client.ts';
import { deniedMemory, type Memory } from './memory.ts';
import { isSharedLink } from './shared.ts';
import { type ClipscopeStore, createClipscopeStore } from './store.ts';
import { firstView, viewHash, viewOf } from './view.ts';

function localMemory(): Memory {
  try {
    return localStorage;
  } catch {
    return deniedMemory;
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

/** The store of this page, with this browser's worker, storage, files and address behind it. */
export function startClipscope(): ClipscopeStore {
  const store = createClipscopeStore({
    connect: (onLost) =>
      navigator.gpu
        ? createEncoderClient({
            startWorker: () => new Worker(new URL('../worker/worker.ts', import.meta.url), { type: 'module' }),
            onLost,
            locks: navigator.locks,
          })
        : null,
    loadTokenizer,
    memory: localMemory(),
    persist: async () => navigator.storage?.persist?.(),
  });
  openAddress(store);
  addEventListener('hashchange', () => openAddress(store));
  // A view that the page itself brings up gets its place in the history, so that Back leads to the one before.
  store.subscribe(({ view }, before) => {
    if (view !== before.view && view !== (viewOf(location.hash) ?? firstView))
      history.pushState(null, '', viewHash(view));
  });
  addEventListener('pagehide', () => store.getState().notePrompts());
  return store;
}
