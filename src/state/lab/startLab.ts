import { workerUnderPolicy } from '../../cpu/workerUnderPolicy.ts';
import { createAsk } from '../../worker/ask.ts';
import type { LabCalls } from '../../worker/lab/labMessages.ts';
import labWorkerUrl from '../../worker/lab/labWorker.ts?worker&url';
import { waitUnless } from '../waitUnless.ts';
import type { LabSettings } from './labSettings.ts';
import { createLab, type Lab } from './labStore.ts';
import type { OwnWork } from './ownWork.ts';

/** A lab of this page with these settings, and what a person made before, and a worker behind it that starts when the lab is first shown. */
export function startLab(settings: LabSettings, playsAtFirst: boolean, own?: OwnWork): Lab {
  return createLab({
    ask: createAsk<LabCalls>({
      name: "The lab's worker",
      startWorker: () => workerUnderPolicy(labWorkerUrl),
      locks: navigator.locks,
    }),
    ...{ settings, own },
    merges: new URL(`${import.meta.env.BASE_URL}clip-merges.txt`, document.baseURI).href,
    playsAtFirst,
    wait: waitUnless,
  });
}
