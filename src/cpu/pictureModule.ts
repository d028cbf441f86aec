/**
 * The kernels that the denoiser needs besides those of the encoder and of training, in a module of their own, which is loaded with it.
 * There is only a plain one: WebAssembly defines its results to the bit. Places are said as in kernels.ts.
 */

import pictureModule from './kernels/kernels_pictures.wasm.hex?raw';
import { moduleBytes } from './kernels.ts';

/** Gradient of LayerNorm: kernels/layer_norm_backward.ts. */
export interface LayerNormBackwardArguments {
  /** [rows, d] */
  readonly x: number;
  /** [d] */
  readonly weight: number;
  /** [rows, d] */
  readonly dy: number;
  /** [rows, d], added to. */
  readonly dx: number;
  /** [d], added to. */
  readonly dweight: number;
  /** [d], added to. */
  readonly dbias: number;
  readonly rows: number;
  readonly d: number;
  readonly epsilon: number;
}

export interface PictureModule {
  /** x [count, side, side, C] → rows [count, side, side, 3, 3, C]: kernels/gather_neighbours.ts. */
  gatherNeighbours(x: number, rows: number, count: number, side: number, C: number): void;
  layerNormBackward(of: LayerNormBackwardArguments): void;
  /** Scores [rows, columns] → probabilities, in place: kernels/softmax.ts. */
  softmax(scores: number, rows: number, columns: number, scale: number): void;
  /** dprobabilities [rows, columns] → dscores, in place. */
  softmaxBackward(probabilities: number, dprobabilities: number, rows: number, columns: number, scale: number): void;
}

/** The module's exports, with the parameters of kernels/*.ts in order. */
type Exports = Record<
  'gather_neighbours' | 'layer_norm_backward' | 'softmax' | 'softmax_backward',
  (...parameters: number[]) => void
>;

/** Makes the kernels work on `memory`. */
export async function pictureModuleKernels(memory: WebAssembly.Memory): Promise<PictureModule> {
  const { instance } = await WebAssembly.instantiate(moduleBytes(pictureModule), { env: { memory } });
  const run = instance.exports as Exports;
  return {
    gatherNeighbours: (x, rows, count, side, C) => run.gather_neighbours(x, rows, count, side, 4 * C),
    layerNormBackward: ({ x, weight, dy, dx, dweight, dbias, rows, d, epsilon }) =>
      run.layer_norm_backward(x, weight, dy, dx, dweight, dbias, rows, d, epsilon),
    softmax: (scores, rows, columns, scale) => run.softmax(scores, rows, columns, scale),
    softmaxBackward: (probabilities, dprobabilities, rows, columns, scale) =>
      run.softmax_backward(probabilities, dprobabilities, rows, columns, scale),
  };
}
