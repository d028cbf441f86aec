import type { FromShare, SpawnThread, ToShare } from '../remoteShare.ts';
import { serveShare } from '../serveShare.ts';

/** A share that is computed in this thread, behind messages like those of another: a test of many then starts none. */
export const spawnHere: SpawnThread = () => {
  const { port1, port2 } = new MessageChannel();
  const serve = serveShare((message, transfer) => port2.postMessage(message, transfer));
  port2.onmessage = ({ data }: MessageEvent<ToShare>) => serve(data);
  return {
    post: (message, transfer) => port1.postMessage(message, [...transfer]),
    listen(onMessage) {
      port1.onmessage = ({ data }: MessageEvent<FromShare>) => onMessage(data);
    },
    end: () => port1.close(),
  };
};
