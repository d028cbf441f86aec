/** The small CLIP that comes with the page: trained on a world of coloured shapes (src/world), so that the first pictures mean something. */

/** Its name in messages and in files that are made with it. */
export const smallModelName = 'small CLIP of shapes, trained by clipscope';

/** Its file, in the folder of the page. */
export const smallModelPath = 'small-clip/model.safetensors';

/** The model cannot be fetched or opened. The message is one sentence. */
export class SmallModelError extends Error {
  override name = 'SmallModelError';
}
