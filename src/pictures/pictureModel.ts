import { type ByteSource, blobSource } from '../files/sources.ts';

/** The picture model's file, in the folder of the page. */
export const pictureModelPath = 'small-pictures/model.safetensors';

/** There is no picture model, or it cannot be fetched. The message is a sentence. */
export class NoPictureModelError extends Error {
  override name = 'NoPictureModelError';
}

/** Fetches the file. Rejects with NoPictureModelError, or with the signal's reason. */
export async function pictureModelSource(
  fetchFile: (signal: AbortSignal) => Promise<Response>,
  signal: AbortSignal,
): Promise<ByteSource> {
  let response: Response;
  try {
    response = await fetchFile(signal);
  } catch (cause) {
    signal.throwIfAborted();
    throw new NoPictureModelError('The picture model that comes with the page could not be fetched.', { cause });
  }
  // Some servers answer with the page itself where there is no file.
  const isPage = response.headers.get('content-type')?.includes('html') ?? false;
  if (response.status === 404 || isPage)
    throw new NoPictureModelError(
      `This page has no picture model yet: there is no file ${pictureModelPath} beside it, which “npm run train -- pictures” makes.`,
    );
  if (!response.ok)
    throw new NoPictureModelError(
      `The picture model that comes with the page could not be fetched (the server answers ${response.status}).`,
    );
  return blobSource(await response.blob(), 'small picture model');
}
