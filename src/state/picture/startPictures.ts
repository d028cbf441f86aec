import { workerUnderPolicy } from '../../cpu/workerUnderPolicy.ts';
import { pictureModelPath } from '../../pictures/pictureModel.ts';
import { createAsk } from '../../worker/ask.ts';
import type { PictureCalls } from '../../worker/pictures/pictureMessages.ts';
import pictureWorkerUrl from '../../worker/pictures/pictureWorker.ts?worker&url';
import { waitUnless } from '../waitUnless.ts';
import { picturePool } from './picturePool.ts';
import { createPictureLab, type PictureLab, type PicturePool } from './pictureStore.ts';
import type { StudyName } from './pictureStudies.ts';

/** Workers that draw at most: each holds a denoiser of its own. */
const mostWorkers = 4;

const address = (path: string) => new URL(`${import.meta.env.BASE_URL}${path}`, document.baseURI).href;

/** Pictures in the panel's row. */
const rowLength = 4;

let pool: PicturePool | undefined;

/** Workers that draw, the same for all views; they start when something is first drawn. */
function ownPool(): PicturePool {
  const workers = Math.max(1, Math.min(mostWorkers, navigator.hardwareConcurrency ?? 1));
  const asks = Array.from({ length: workers }, () =>
    createAsk<PictureCalls>({
      name: 'The worker that draws',
      startWorker: () => workerUnderPolicy(pictureWorkerUrl),
      locks: navigator.locks,
    }),
  );
  return picturePool(asks);
}

/** State of pictures, from `seeds` seeds in a row. */
function startLab(seeds: number): PictureLab {
  pool ??= ownPool();
  return createPictureLab({
    ...{ pool, seeds },
    merges: address('clip-merges.txt'),
    model: address(pictureModelPath),
    wait: waitUnless,
  });
}

/** The picture panel's state. */
export const startPictures = (): PictureLab => startLab(rowLength);

/** One study of the first seed, without a row of seeds. */
export function startStudy(name: StudyName): PictureLab {
  const lab = startLab(0);
  lab.getState().openStudy(name, true);
  return lab;
}
