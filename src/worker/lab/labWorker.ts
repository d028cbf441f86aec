import smallModelUrl from '/small-clip/model.safetensors?url';
import { holdLock, serve } from '../serve.ts';
import type { FromThread, ToThread } from '../threadCalls.ts';
import { createLabHandlers } from './labHandlers.ts';
import type { LabCalls } from './labMessages.ts';

const post = (message: FromThread<LabCalls>, transfer: Transferable[] = []) => self.postMessage(message, { transfer });

/** A timer would wait for 4 ms; a message to oneself comes after those that are there. */
const channel = new MessageChannel();
const breathe = () =>
  new Promise<void>((resolve) => {
    channel.port1.onmessage = () => resolve();
    channel.port2.postMessage(null);
  });

async function fetchText(address: string): Promise<string> {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`The tokenizer's vocabulary could not be loaded (${answer.status}).`);
  return answer.text();
}

const answer = serve<LabCalls>(
  createLabHandlers({
    fetchText,
    fetchSmallModel: (signal) => fetch(smallModelUrl, { signal }),
    breathe,
    now: () => performance.now(),
  }),
  post,
);

holdLock(post);
self.addEventListener('message', ({ data }: MessageEvent<ToThread<LabCalls>>) => void answer(data));
