import type { EncoderPass } from '../clip/encoderPass.ts';
import { rowDistance } from '../weighting/study/rowSums.ts';
import type { AnalysisEncoder } from './analysisEncoder.ts';
import { rowLength } from './rowMeasures.ts';

/** A number of the residual stream that is far larger than the others of its layer. */
export interface MassiveNumber {
  /** Index into the hidden states: 0 the embeddings, N after the last layer. */
  readonly state: number;
  readonly row: number;
  readonly dimension: number;
  readonly value: number;
  /** |value| over the median of |x| in that state. */
  readonly ratio: number;
}

/** How a chunk's rows come to be what they are, layer by layer. */
export interface LayerTravel {
  /** [read + 1] of [L]: ‖LN(H_l) − LN(H_read)‖ / ‖LN(H_read)‖, LN the final LayerNorm; the last are exactly 0. */
  readonly left: readonly Float64Array[];
  /** [read] of [L]: the length of what attention adds in a layer, and of what the MLP adds, over that of the stream that it is added to. */
  readonly attention: readonly Float64Array[];
  readonly mlp: readonly Float64Array[];
  /** The largest of each dimension that has one, the largest ratio first. */
  readonly massive: readonly MassiveNumber[];
}

/** A number is massive from this many times the median of its state on. */
export const massiveRatio = 20;

/** Measures how far the rows travel up to the state that is read, which is N without clip skip, and what each layer up to it adds. */
export async function layerTravel(pass: EncoderPass, read: number, encoder: AnalysisEncoder): Promise<LayerTravel> {
  const { hiddenSize: d } = encoder.config;
  const rows = Array.from(pass.inputIds.keys());
  const states = (await encoder.states([pass]))[0].slice(0, read + 1);
  const normed = states.map((state) => encoder.finalNorm(state));
  const lengths = rows.map((row) => rowLength(normed[read], row, d));
  const left = normed.map((state) =>
    Float64Array.from(rows, (row) => rowDistance(state, row, normed[read], row, d) / lengths[row]),
  );
  const attention: Float64Array[] = [];
  const mlp: Float64Array[] = [];
  const massive = new Map<number, MassiveNumber>();
  findMassive(massive, states[read], d, read);
  for (let layer = 0; layer < read; layer++) {
    const tensors = await encoder.layer(pass, layer);
    // One state at a time, so that whoever types in between does not wait for all of them.
    findMassive(massive, states[layer], d, layer);
    const share = (added: 'out_proj' | 'fc2', to: 'hidden' | 'residual1') =>
      Float64Array.from(rows, (row) => rowLength(tensors.get(added)!, row, d) / rowLength(tensors.get(to)!, row, d));
    attention.push(share('out_proj', 'hidden'));
    mlp.push(share('fc2', 'residual1'));
  }
  return { left, attention, mlp, massive: largestFirst(massive) };
}

/** Adds the massive numbers of a hidden state [L, d] to those that are known, the largest of each dimension. */
export function findMassive(
  known: Map<number, MassiveNumber>,
  values: ArrayLike<number>,
  d: number,
  state: number,
): void {
  const sizes = Float64Array.from(values, Math.abs);
  const median = sizes.toSorted()[Math.floor(sizes.length / 2)];
  for (const [i, size] of sizes.entries()) {
    const ratio = size / median;
    const dimension = i % d;
    if (ratio < massiveRatio || ratio <= (known.get(dimension)?.ratio ?? 0)) continue;
    known.set(dimension, { state, row: Math.floor(i / d), dimension, value: values[i], ratio });
  }
}

const largestFirst = (known: ReadonlyMap<number, MassiveNumber>) =>
  [...known.values()].sort((a, b) => b.ratio - a.ratio);
