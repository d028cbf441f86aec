/**
 * A loss by which the words of an object are looked at from inside it. A denoiser that learns pictures alone has no reason to look at
 * "circle" from where the circle is: any pixel may read the word and hand on what follows. Stable Diffusion was trained without such a loss,
 * though its words point well. Source: the token-level loss of Wang et al. 2023, TokenCompose, on what all heads of a layer look at together.
 *
 * Letters: T rows of a picture's condition, S its side in pixels, h heads.
 */

import type { Floats } from '../training/products.ts';

/** The objects of which a picture's prompt tells, and where they are. */
export interface Ground {
  /** [T] The object of which a row tells: 0, 1, or −1 for none. */
  readonly objects: Int8Array;
  /** [2, S²] How much of each pixel an object covers, 0 … 1. */
  readonly covers: Float32Array;
}

/** Objects of a picture at most. */
export const objectsAtMost = 2;

/** Whether a prompt tells of any object. */
export const isGrounded = ({ objects }: Ground): boolean => objects.some((object) => object >= 0);

/** Means of a picture [S²] over squares, of which there are side². */
export function meansOfSquares(pixels: ArrayLike<number>, side: number): Float64Array {
  const S = Math.sqrt(pixels.length);
  const pixelsOfSide = S / side;
  const means = new Float64Array(side * side);
  for (let y = 0; y < S; y++)
    for (let x = 0; x < S; x++)
      means[Math.floor(y / pixelsOfSide) * side + Math.floor(x / pixelsOfSide)] += pixels[y * S + x];
  return means.map((sum) => sum / (pixelsOfSide * pixelsOfSide));
}

/**
 * The loss of a layer whose pixels look with `probabilities` [h, side², T], and `weight` times its gradient, which it writes to `dlooks`
 * of the same shape. For each row that tells of an object, (1 − r)² with r the share of its looks, all heads together, that come from where
 * the object is; the mean over these rows. 0 where there is none.
 */
export function groundingLoss(
  dlooks: Floats,
  probabilities: Floats,
  side: number,
  { objects, covers }: Ground,
  weight: number,
): number {
  const T = objects.length;
  const P = side * side;
  const h = probabilities.length / (P * T);
  const S2 = covers.length / objectsAtMost;
  dlooks.fill(0, 0, probabilities.length);
  const told = Array.from(objects.keys()).filter((t) => objects[t] >= 0);
  const inside = Array.from({ length: objectsAtMost }, (_, object) =>
    meansOfSquares(covers.subarray(object * S2, (object + 1) * S2), side),
  );
  let loss = 0;
  for (const t of told) {
    const covered = inside[objects[t]];
    let [all, own] = [0, 0];
    for (let head = 0; head < h; head++)
      for (let p = 0; p < P; p++) {
        const look = probabilities[(head * P + p) * T + t];
        all += look;
        own += look * covered[p];
      }
    // A row that nothing looks at has no share.
    if (all === 0) continue;
    const outside = 1 - own / all;
    loss += (outside * outside) / told.length;
    const slope = (-2 * weight * outside) / (all * told.length);
    for (let head = 0; head < h; head++)
      for (let p = 0; p < P; p++) dlooks[(head * P + p) * T + t] = slope * (covered[p] - own / all);
  }
  return loss;
}
