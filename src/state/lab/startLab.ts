import { createAsk } from '../../worker/ask.ts';
import type { LabCalls } from '../../worker/lab/labMessages.ts';
import { readLabAddress } from './labSettings.ts';
import { createLab, type Lab } from './labStore.ts';

/** Resolves after so many milliseconds, or as soon as the signal is aborted. */
function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** The lab of this page, by the settings of its address, with a worker behind it that starts when the lab is first shown. */
export function startLab(): Lab {
  return createLab({
    ask: createAsk<LabCalls>({
      name: "The lab's worker",
      startWorker: () => new Worker(new URL('../../worker/lab/labWorker.ts', import.meta.url), { type: 'module' }),
      locks: navigator.locks,
    }),
    settings: readLabAddress(location.hash),
    merges: new URL(`${import.meta.env.BASE_URL}clip-merges.txt`, document.baseURI).href,
    playsAtFirst: !matchMedia('(prefers-reduced-motion: reduce)').matches,
    wait,
  });
}
