import smallModelUrl from '/small-clip/model.safetensors?url';
import { holdLock, serve } from '../serve.ts';
import type { FromThread, ToThread } from '../threadCalls.ts';
import { fetchMerges, messageBreath } from '../workerWorld.ts';
import { createLabHandlers } from './labHandlers.ts';
import type { LabCalls } from './labMessages.ts';

const post = (message: FromThread<LabCalls>, transfer: Transferable[] = []) => self.postMessage(message, { transfer });

const answer = serve<LabCalls>(
  createLabHandlers({
    fetchText: fetchMerges,
    fetchSmallModel: (signal) => fetch(smallModelUrl, { signal }),
    breathe: messageBreath(),
    now: () => performance.now(),
  }),
  post,
);

holdLock(post);
self.addEventListener('message', ({ data }: MessageEvent<ToThread<LabCalls>>) => void answer(data));
