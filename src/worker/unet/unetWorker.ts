import { holdLock, serve } from '../serve.ts';
import type { FromThread, ToThread } from '../threadCalls.ts';
import { createUnetHandlers } from './unetHandlers.ts';
import type { UnetCalls } from './unetMessages.ts';

const post = (message: FromThread<UnetCalls>, transfer: Transferable[] = []) => self.postMessage(message, { transfer });

const answer = serve<UnetCalls>(
  createUnetHandlers({ fetchPictureModel: (address, signal) => fetch(address, { signal }) }),
  post,
);

holdLock(post);
self.addEventListener('message', ({ data }: MessageEvent<ToThread<UnetCalls>>) => void answer(data));
