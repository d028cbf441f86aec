import { concatenate, distinct, type Method } from './method.ts';

/** Eq. (14): z'ᵢ = wᵢ zᵢ. z, result [L, d]; weights [L]. A1111's "No norm". */
export function scale(z: Float32Array, weights: Float64Array, d: number): Float32Array {
  return z.map((value, i) => value * weights[Math.floor(i / d)]);
}

/** Eq. (14) and A1111's "No norm": each row times its weight. */
export const scaled: Method = {
  passes: ({ chunks }) => distinct(chunks.map(({ pass }) => pass)),
  combine: ({ chunks }, zOf) =>
    Float32Array.from(
      concatenate(
        chunks.map(({ pass, perTokenWeights }) => {
          const z = zOf(pass);
          return scale(z, perTokenWeights, z.length / perTokenWeights.length);
        }),
      ),
    ),
};

/** A1111's "Ignore", and its "None" where the brackets were not read as weights: the bare encoder output. */
export const unscaled: Method = {
  passes: scaled.passes,
  combine: ({ chunks }, zOf) => Float32Array.from(concatenate(chunks.map(({ pass }) => zOf(pass)))),
};
