import type { createAsk } from '../../worker/ask.ts';
import type { PictureCalls } from '../../worker/pictures/pictureMessages.ts';
import type { PicturePool } from './pictureStore.ts';

/** Draws on several workers, each of which takes the next few pictures when it is done with its last. */
export function picturePool(asks: readonly ReturnType<typeof createAsk<PictureCalls>>[]): PicturePool {
  return {
    async draw(takes, settings, atOnce, signal, hear) {
      // A GPU has one queue for all workers: one of them keeps it busy.
      const drawing = settings.onGpu ? asks.slice(0, 1) : asks;
      const size = Math.min(atOnce, Math.ceil(takes.length / drawing.length));
      let next = 0;
      const work = async (ask: (typeof asks)[number]) => {
        while (next < takes.length) {
          signal.throwIfAborted();
          const from = next;
          const batch = takes.slice(from, from + size);
          next += batch.length;
          const pictures = await ask('draw', { ...settings, takes: batch }, { signal });
          signal.throwIfAborted();
          for (const [i, picture] of pictures.entries()) hear(picture, from + i);
        }
      };
      await Promise.all(drawing.map(work)).finally(() => {
        // The others end with what they are at, should one fail.
        next = takes.length;
      });
    },
    async parameters(addresses, signal) {
      const count = await asks[0]('parameters', addresses, { signal });
      signal.throwIfAborted();
      return count;
    },
    async follow(take, settings, signal) {
      const followed = await asks[0]('follow', { ...settings, take }, { signal });
      signal.throwIfAborted();
      return followed;
    },
  };
}
