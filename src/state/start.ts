import { createEncoderClient } from '../worker/client.ts';
import type { Memory } from './memory.ts';
import { isSharedLink } from './shared.ts';
import { type ClipscopeStore, createClipscopeStore } from './store.ts';

function localMemory(): Memory | null {
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

/** Opens a shared link once: afterwards the address is the page's own, and what is typed survives a reload. */
function openAddress(store: ClipscopeStore) {
  if (!isSharedLink(location.hash)) return;
  const { hash } = location;
  history.replaceState(null, '', location.pathname + location.search);
  void store.getState().openLink(hash);
}

/** The store of this page, with this browser's worker, storage, files and address behind it. */
export function startClipscope(): ClipscopeStore {
  const store = createClipscopeStore({
    connect: (onLost) =>
      navigator.gpu
        ? createEncoderClient(new Worker(new URL('../worker/worker.ts', import.meta.url), { type: 'module' }), onLost)
        : null,
    loadTokenizer,
    memory: localMemory(),
    persist: async () => navigator.storage?.persist?.(),
  });
  openAddress(store);
  addEventListener('hashchange', () => openAddress(store));
  addEventListener('pagehide', () => store.getState().notePrompts());
  return store;
}
