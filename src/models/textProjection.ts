/** Finds what CLIP's objective needs beside a text encoder: its projection and its temperature. */

import type { TextProjection } from '../clip/weights.ts';
import { readFloats } from '../files/floatTensor.ts';
import { excerpt, type StoredTensor, shapeText, type TensorFile } from '../files/tensorFile.ts';
import type { Layout } from './tensorNames.ts';

/** Beginnings of the names beside an encoder's: its own, and those of all that it is a part of. */
function surroundings(prefix: string): string[] {
  const parts = prefix.split('.').slice(0, -1);
  return Array.from({ length: parts.length + 1 }, (_, i) =>
    parts
      .slice(0, parts.length - i)
      .map((part) => `${part}.`)
      .join(''),
  );
}

/** [d, E] → [E, d] */
function transposed(values: Float32Array, d: number, E: number): Float32Array<ArrayBuffer> {
  const matrix = new Float32Array(values.length);
  for (let i = 0; i < d; i++) for (let e = 0; e < E; e++) matrix[e * d + i] = values[i * E + e];
  return matrix;
}

/** A tensor beside an encoder, and the part of its name that all layouts share: `logit_scale`. */
export interface TensorBeside {
  readonly bare: string;
  readonly name: string;
  readonly tensor: StoredTensor;
}

/** Names of the projection: transformers' weight [E, d] of a linear layer, OpenAI's and open_clip's matrix [d, E]. */
const linearName = 'text_projection.weight';
const matrixName = 'text_projection';
const biasName = 'text_projection.bias';
const scaleName = 'logit_scale';

/** Finds the projection in an encoder's surroundings in its file, and what belongs to it; empty where there is no projection. */
export function projectionTensors(tensors: TensorFile['tensors'], { prefix }: Layout): readonly TensorBeside[] {
  const found = [linearName, matrixName, biasName, scaleName].flatMap((bare): TensorBeside[] => {
    const name = surroundings(prefix)
      .map((start) => start + bare)
      .find((name) => tensors.has(name));
    return name === undefined ? [] : [{ bare, name, tensor: tensors.get(name)! }];
  });
  return found.some(({ bare }) => bare === linearName || bare === matrixName) ? found : [];
}

/**
 * Reads a projection and its temperature out of `projectionTensors`, of which one is a projection. Calls `fail` for one of another
 * shape, or with a bias.
 */
export async function readTextProjection(
  found: readonly TensorBeside[],
  d: number,
  fail: (why: string) => never,
  signal?: AbortSignal,
): Promise<TextProjection> {
  const find = (wanted: string) => found.find(({ bare }) => bare === wanted);
  const linear = find(linearName);
  const { name, tensor } = (linear ?? find(matrixName))!;
  const { shape } = tensor;
  if (shape.length !== 2 || shape[linear ? 1 : 0] !== d || shape[0] * shape[1] === 0)
    fail(
      `has tensor ${excerpt(name)} of shape ${shapeText(shape.slice(0, 8))}; expected ${linear ? `[E, ${d}]` : `[${d}, E]`}`,
    );
  const bias = find(biasName);
  if (bias) fail(`has a projection with a bias, ${excerpt(bias.name)}, which CLIP's has not`);
  const E = shape[linear ? 0 : 1];
  const values = await readFloats(name, tensor, fail, signal);
  const scale = find(scaleName);
  if (scale?.tensor.shape.some((size) => size !== 1))
    fail(
      `has tensor ${excerpt(scale.name)} of shape ${shapeText(scale.tensor.shape.slice(0, 8))}; expected one number`,
    );
  const logScale = scale ? (await readFloats(scale.name, scale.tensor, fail, signal))[0] : null;
  return { E, matrix: linear ? values : transposed(values, d, E), logScale };
}
