import { createEncoderClient } from '../worker/client.ts';
import type { Memory } from './memory.ts';
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
    import('../clip/tokenizer.ts'),
    fetch(`${import.meta.env.BASE_URL}clip-merges.txt`),
  ]);
  if (!merges.ok) throw new Error(`The tokenizer's vocabulary could not be loaded (${merges.status}).`);
  return createTokenizer(await merges.text());
}

/** The store of this page, with this browser's worker, storage and files behind it. */
export function startClipscope(): ClipscopeStore {
  return createClipscopeStore({
    connect: (onLost) =>
      navigator.gpu
        ? createEncoderClient(new Worker(new URL('../worker/worker.ts', import.meta.url), { type: 'module' }), onLost)
        : null,
    loadTokenizer,
    memory: localMemory(),
  });
}
