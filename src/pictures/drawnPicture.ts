/**
 * A picture as the denoiser draws it: [4, S, S], red, green, blue, and its cover: −1 on the ground, 1 on an object. The cover is not shown.
 * In it a pale object on a pale ground is as plain as a black one on a white ground, so that shapes are learned, and decided, in all
 * colours alike. Stable Diffusion's pictures are latents of 4 planes, which a network of its own has learned.
 */

import { pictureLength, pictureSize, renderCover } from '../world/render.ts';
import type { Scene } from '../world/scene.ts';

export const drawnPlanes = 4;

/** Float32 numbers of a drawn picture: [4, S, S]. */
export const drawnLength = drawnPlanes * pictureSize * pictureSize;

/** [3, S, S] of picture i of many [·, 4, S, S], as it is shown: a view. */
export const shownPicture = (drawn: Float32Array, i: number): Float32Array =>
  drawn.subarray(i * drawnLength, i * drawnLength + pictureLength);

/** [n, 4, S, S] of scenes and their pictures [n, 3, S, S]. */
export function withCover(scenes: readonly Scene[], pictures: Float32Array): Float32Array {
  const drawn = new Float32Array(scenes.length * drawnLength);
  for (const [i, scene] of scenes.entries()) {
    drawn.set(pictures.subarray(i * pictureLength, (i + 1) * pictureLength), i * drawnLength);
    renderCover(scene, drawn, i * drawnLength + pictureLength);
  }
  return drawn;
}
