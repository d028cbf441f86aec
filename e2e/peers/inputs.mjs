import {
  finalLayerNormWeightName,
  layerTensor,
  layerTensorNames,
  positionEmbeddingName,
  tokenEmbeddingName,
} from '../../src/clip/weights.ts';
import { float32View } from '../../src/files/dtypes.ts';

/**
 * @typedef {import('../../src/clip/weights.ts').WeightSource} WeightSource
 *
 * @typedef {object} Input
 * @property {Uint32Array} ids [L]
 * @property {Float32Array<ArrayBuffer>} rows [L, d] token embeddings + positions, as all engines but ours take them
 *
 * @typedef {object} Weight
 * @property {Float32Array<ArrayBuffer>} data
 * @property {readonly number[]} shape
 */

/**
 * Inputs that differ from the first token on, so that no engine can keep anything of the pass before.
 * @param {WeightSource} source
 * @param {number} count
 * @returns {Promise<Input[]>}
 */
export async function passes(source, count) {
  const { vocabSize, maxPositionEmbeddings: L, hiddenSize: d } = source.config;
  const table = float32View(await source.read(tokenEmbeddingName));
  const positions = float32View(await source.read(positionEmbeddingName));
  return Array.from({ length: count }, (_, pass) => {
    const ids = Uint32Array.from({ length: L }, (_, i) => (pass * 7919 + i * 104729 + 49406) % vocabSize);
    const rows = positions.slice();
    for (let i = 0; i < L; i++) for (let c = 0; c < d; c++) rows[i * d + c] += table[ids[i] * d + c];
    return { ids, rows };
  });
}

/**
 * Every weight of the layers and the final LayerNorm by its Hugging Face name; matrices as they are, [out, in], or turned
 * to [in, out].
 * @param {WeightSource} source
 * @param {'out-in' | 'in-out'} layout
 * @returns {Promise<Map<string, Weight>>}
 */
export async function readWeights(source, layout) {
  const names = Array.from({ length: source.config.numHiddenLayers }, (_, layer) =>
    layerTensorNames.map((part) => layerTensor(layer, part)),
  ).flat();
  const weights = new Map();
  for (const name of [...names, finalLayerNormWeightName, finalLayerNormWeightName.replace('weight', 'bias')]) {
    const { shape } = source.tensor(name);
    const data = float32View(await source.read(name));
    if (shape.length === 2 && layout === 'in-out') weights.set(name, transpose(data, shape));
    else weights.set(name, { data, shape });
  }
  return weights;
}

function transpose(data, [rows, columns]) {
  const turned = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) turned[c * rows + r] = data[r * columns + c];
  return { data: turned, shape: [columns, rows] };
}

/** Returns [L, L]: 0 if query i sees key j, otherwise so little that softmax makes it 0. */
export function causalBias(L) {
  return Float32Array.from({ length: L * L }, (_, at) => (at % L <= Math.floor(at / L) ? 0 : -1e9));
}
