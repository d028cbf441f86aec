/**
 * The encoder as the obvious float64 loops, in the lecture's order: the judge of every kernel. Matrices are row-major;
 * the letters of the shapes are those of config.ts.
 */

import { type WeightDtype, weightBytes } from '../files/dtypes.ts';
import type { EncoderPass } from './encoderPass.ts';
import { attentionMask } from './masks.ts';
import {
  finalLayerNormBiasName,
  finalLayerNormWeightName,
  type LayerTensorName,
  layerTensor,
  layerTensorNames,
  positionEmbeddingName,
  tokenEmbeddingName,
  type WeightSource,
} from './weights.ts';

/** Rows of a table, one for each index (eq. 23). `rowOf` gives a row [d] of the table; indices [L] → [L, d]. */
export function embedding(
  rowOf: (index: number) => ArrayLike<number>,
  indices: ArrayLike<number>,
  d: number,
): Float64Array {
  const x = new Float64Array(indices.length * d);
  for (let i = 0; i < indices.length; i++) x.set(rowOf(indices[i]), i * d);
  return x;
}

/** Token rows plus the first L position rows (eq. 51). `tokenRows` [L, d], `positions` [≥ L, d] → [L, d]. */
export function embeddings(tokenRows: Float64Array, positions: Float64Array, L: number, d: number): Float64Array {
  return add(tokenRows.subarray(0, L * d), positions.subarray(0, L * d));
}

/**
 * Layer normalisation of each row (eq. 25, 26): (x − mean) / √(variance + eps) · weight + bias, with the biased variance.
 * x [rows, d]; weight, bias [d] → [rows, d].
 */
export function layerNorm(x: Float64Array, weight: Float64Array, bias: Float64Array, eps: number): Float64Array {
  const d = weight.length;
  const y = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += d) {
    let mean = 0;
    for (let i = 0; i < d; i++) mean += x[row + i];
    mean /= d;
    let variance = 0;
    for (let i = 0; i < d; i++) variance += (x[row + i] - mean) ** 2;
    variance /= d;
    const scale = 1 / Math.sqrt(variance + eps);
    for (let i = 0; i < d; i++) y[row + i] = (x[row + i] - mean) * scale * weight[i] + bias[i];
  }
  return y;
}

/** x Wᵀ + b (eq. 31, 35, 37, 39). x [rows, in], weight [out, in], bias [out] or null for none → [rows, out]. */
export function linear(
  x: Float64Array,
  weight: Float64Array,
  bias: Float64Array | null,
  inFeatures: number,
  outFeatures: number,
): Float64Array {
  const inputs = rowsOf(x, inFeatures);
  const y = new Float64Array(inputs.length * outFeatures);
  const fours = Array.from({ length: Math.ceil(inputs.length / 4) }, (_, i) => inputs.slice(4 * i, 4 * i + 4));
  for (let o = 0; o < outFeatures; o++) {
    const w = weight.subarray(o * inFeatures, (o + 1) * inFeatures);
    for (const [i, four] of fours.entries()) {
      const sums = dots(four, w);
      for (let j = 0; j < four.length; j++) y[(4 * i + j) * outFeatures + o] = sums[j] + (bias ? bias[o] : 0);
    }
  }
  return y;
}

function rowsOf(x: Float64Array, width: number): Float64Array[] {
  return Array.from({ length: x.length / width }, (_, r) => x.subarray(r * width, (r + 1) * width));
}

/** Dot products of one to four rows with w. Together they take little more time than one: an addition waits only for its own sum. */
function dots([a, b = a, c = a, d = a]: readonly Float64Array[], w: Float64Array): readonly number[] {
  let [sumA, sumB, sumC, sumD] = [0, 0, 0, 0];
  for (let i = 0; i < w.length; i++) {
    const weight = w[i];
    sumA += a[i] * weight;
    sumB += b[i] * weight;
    sumC += c[i] * weight;
    sumD += d[i] * weight;
  }
  return [sumA, sumB, sumC, sumD];
}

/** x · sigmoid(1.702 x), elementwise (eq. 27). */
export function quickGelu(x: Float64Array): Float64Array {
  return x.map((v) => v / (1 + Math.exp(-1.702 * v)));
}

/** a + b, elementwise (eq. 43, 44, 51). */
export function add(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((v, i) => v + b[i]);
}

/**
 * Scores of every head before the mask (eq. 32): q kᵀ / √dh. q, k [L, h·dh], each head a slice of dh columns → [h, L, L],
 * queries as rows.
 */
export function attentionScores(q: Float64Array, k: Float64Array, L: number, h: number, headDim: number): Float64Array {
  const width = h * headDim;
  const scores = new Float64Array(h * L * L);
  const scale = 1 / Math.sqrt(headDim);
  for (let head = 0; head < h; head++)
    for (let i = 0; i < L; i++) {
      const query = i * width + head * headDim;
      for (let j = 0; j < L; j++) {
        const key = j * width + head * headDim;
        let score = 0;
        for (let c = 0; c < headDim; c++) score += q[query + c] * k[key + c];
        scores[(head * L + i) * L + j] = score * scale;
      }
    }
  return scores;
}

/** The scores with −∞ wherever the mask has 0 (eq. 33). scores [h, L, L], mask [L, L] → [h, L, L] */
export function maskScores(scores: Float64Array, mask: Uint8Array): Float64Array {
  return scores.map((score, i) => (mask[i % mask.length] ? score : Number.NEGATIVE_INFINITY));
}

/**
 * Softmax of each row (eq. 28, along the second axis). scores [rows, n] → [rows, n]. An entry of −∞ becomes an exact zero; so
 * does a whole row of them, which the lecture leaves undefined.
 */
export function softmax(scores: Float64Array, n: number): Float64Array {
  const probabilities = new Float64Array(scores.length);
  for (let row = 0; row < scores.length; row += n) {
    let max = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < n; j++) max = Math.max(max, scores[row + j]);
    let sum = 0;
    for (let j = 0; j < n; j++) {
      if (scores[row + j] === Number.NEGATIVE_INFINITY) continue;
      probabilities[row + j] = Math.exp(scores[row + j] - max);
      sum += probabilities[row + j];
    }
    for (let j = 0; j < n; j++) if (scores[row + j] !== Number.NEGATIVE_INFINITY) probabilities[row + j] /= sum;
  }
  return probabilities;
}

/**
 * Each query's mean of the values, weighted by its probabilities (eq. 34), the heads side by side. probabilities [h, L, L],
 * v [L, h·dh] → [L, h·dh]. A key of probability 0 takes no part, whatever its value is.
 */
export function attendedValues(
  probabilities: Float64Array,
  v: Float64Array,
  L: number,
  h: number,
  headDim: number,
): Float64Array {
  const width = h * headDim;
  const output = new Float64Array(L * width);
  for (let head = 0; head < h; head++)
    for (let i = 0; i < L; i++) {
      const query = i * width + head * headDim;
      for (let j = 0; j < L; j++) {
        const probability = probabilities[(head * L + i) * L + j];
        if (probability === 0) continue;
        const value = j * width + head * headDim;
        for (let c = 0; c < headDim; c++) output[query + c] += probability * v[value + c];
      }
    }
  return output;
}

/**
 * Masked softmax attention of h heads (eq. 32–34). q, k, v, output [L, h·dh], each head a slice of dh columns; mask [L, L], 1
 * where query i sees key j; probabilities [h, L, L], exact zeros where masked. A query that sees no key gets zeros.
 */
export function attention(
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  mask: Uint8Array,
  L: number,
  h: number,
  headDim: number,
): { output: Float64Array; probabilities: Float64Array } {
  const probabilities = softmax(maskScores(attentionScores(q, k, L, h, headDim), mask), L);
  return { output: attendedValues(probabilities, v, L, h, headDim), probabilities };
}

export interface ReferenceOutput {
  /** N + 1 of [L, d]: the embeddings, then each layer's output before the final LayerNorm. */
  readonly hiddenStates: readonly Float64Array[];
  /** N of [h, L, L]. */
  readonly attentions: readonly Float64Array[];
  /** [L, d], after the final LayerNorm. */
  readonly lastHiddenState: Float64Array;
}

type LayerWeights = Record<LayerTensorName, Float64Array>;

/**
 * Reads all of an encoder's weights and returns its forward pass (eq. 40–48, 58, 59). Float64 weights take twice the room of float32 ones:
 * 0.7 GB at full size, and one pass some seconds.
 */
export async function referenceEncoder(source: WeightSource): Promise<(pass: EncoderPass) => ReferenceOutput> {
  const { config, compactTable } = source;
  const { hiddenSize: d, numAttentionHeads: h, headDim, intermediateSize: m, layerNormEps: eps } = config;
  const read = async (name: string) => toFloat64(await source.read(name), source.tensor(name).dtype);

  const tokenTable = await source.read(tokenEmbeddingName);
  const tokenDtype = source.tensor(tokenEmbeddingName).dtype;
  const rowBytes = d * weightBytes[tokenDtype];
  const positions = await read(positionEmbeddingName);
  const layers: LayerWeights[] = [];
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const weights: Partial<LayerWeights> = {};
    for (const part of layerTensorNames) weights[part] = await read(layerTensor(layer, part));
    layers.push(weights as LayerWeights);
  }
  const finalWeight = await read(finalLayerNormWeightName);
  const finalBias = await read(finalLayerNormBiasName);

  return (pass) => {
    const L = pass.inputIds.length;
    const tokenRow = (id: number) => {
      const row = compactTable ? compactTable.rowOf.get(id) : id;
      if (row === undefined) return Float64Array.from(compactTable!.vectorOf(id));
      return toFloat64(tokenTable.subarray(row * rowBytes, (row + 1) * rowBytes), tokenDtype);
    };
    const tokenRows = embedding(tokenRow, pass.inputIds, d);
    pass.vectors?.forEach((vector, i) => {
      tokenRows.set(vector, i * d);
    });
    const mask = attentionMask(pass);

    let x = embeddings(tokenRows, positions, L, d);
    const hiddenStates = [x];
    const attentions: Float64Array[] = [];
    for (const w of layers) {
      const u = layerNorm(x, w['layer_norm1.weight'], w['layer_norm1.bias'], eps);
      const q = linear(u, w['self_attn.q_proj.weight'], w['self_attn.q_proj.bias'], d, d);
      const k = linear(u, w['self_attn.k_proj.weight'], w['self_attn.k_proj.bias'], d, d);
      const v = linear(u, w['self_attn.v_proj.weight'], w['self_attn.v_proj.bias'], d, d);
      const { output, probabilities } = attention(q, k, v, mask, L, h, headDim);
      x = add(x, linear(output, w['self_attn.out_proj.weight'], w['self_attn.out_proj.bias'], d, d));
      const u2 = layerNorm(x, w['layer_norm2.weight'], w['layer_norm2.bias'], eps);
      const g = quickGelu(linear(u2, w['mlp.fc1.weight'], w['mlp.fc1.bias'], d, m));
      x = add(x, linear(g, w['mlp.fc2.weight'], w['mlp.fc2.bias'], m, d));
      hiddenStates.push(x);
      attentions.push(probabilities);
    }
    return { hiddenStates, attentions, lastHiddenState: layerNorm(x, finalWeight, finalBias, eps) };
  };
}

/** Little-endian elements as stored → float64, exact. */
function toFloat64(bytes: Uint8Array, dtype: WeightDtype): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Float64Array(bytes.length / weightBytes[dtype]);
  switch (dtype) {
    case 'F32':
      for (let i = 0; i < out.length; i++) out[i] = view.getFloat32(i * 4, true);
      return out;
    case 'BF16': {
      const word = new DataView(new ArrayBuffer(4));
      for (let i = 0; i < out.length; i++) {
        word.setUint32(0, view.getUint16(i * 2, true) << 16);
        out[i] = word.getFloat32(0);
      }
      return out;
    }
    case 'F16':
      for (let i = 0; i < out.length; i++) out[i] = halfToNumber(view.getUint16(i * 2, true));
      return out;
    default:
      return dtype satisfies never;
  }
}

/** IEEE 754 binary16 → number: 1 sign bit, 5 of exponent (bias 15), 10 of fraction. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  if (exponent === 0) return sign * fraction * 2 ** -14;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction) * 2 ** (exponent - 15);
}
