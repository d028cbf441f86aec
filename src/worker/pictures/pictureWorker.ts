import smallModelUrl from '/small-clip/model.safetensors?url';
import { requestGpuDevice } from '../../gpu/device.ts';
import { holdLock, serve } from '../serve.ts';
import type { FromThread, ToThread } from '../threadCalls.ts';
import { fetchMerges, messageBreath } from '../workerWorld.ts';
import { createPictureHandlers } from './pictureHandlers.ts';
import type { PictureCalls } from './pictureMessages.ts';

const post = (message: FromThread<PictureCalls>, transfer: Transferable[] = []) =>
  self.postMessage(message, { transfer });

const answer = serve<PictureCalls>(
  createPictureHandlers({
    fetchText: fetchMerges,
    fetchSmallModel: (signal) => fetch(smallModelUrl, { signal }),
    fetchPictureModel: (address, signal) => fetch(address, { signal }),
    findGpu: () => requestGpuDevice(navigator.gpu),
    breathe: messageBreath(),
  }),
  post,
);

holdLock(post);
self.addEventListener('message', ({ data }: MessageEvent<ToThread<PictureCalls>>) => void answer(data));
