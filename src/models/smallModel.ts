/** The small CLIP that comes with the page: trained on a world of coloured shapes (src/world), so that the first pictures mean something. */

import { type ByteSource, blobSource } from '../files/sources.ts';

/** Its name in messages and in files that are made with it. */
export const smallModelName = 'small CLIP of shapes, trained by clipscope';

/** Its file, in the folder of the page. */
export const smallModelPath = 'small-clip/model.safetensors';

/** The model cannot be fetched or opened. The message is one sentence. */
export class SmallModelError extends Error {
  override name = 'SmallModelError';
}

/** Fetches its file. Rejects with SmallModelError, or with the signal's reason. */
export async function smallModelSource(
  fetchFile: (signal: AbortSignal) => Promise<Response>,
  signal: AbortSignal,
): Promise<ByteSource> {
  try {
    const response = await fetchFile(signal);
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    return blobSource(await response.blob(), smallModelName);
  } catch (cause) {
    signal.throwIfAborted();
    const why = (cause as Error).message.replace(/\.$/, '');
    throw new SmallModelError(`The small model that comes with the page could not be fetched (${why}).`, { cause });
  }
}
