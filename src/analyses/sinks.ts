import type { EncoderPass } from '../clip/encoderPass.ts';
import { attentionMask } from '../clip/masks.ts';
import type { AnalysisEncoder } from './analysisEncoder.ts';
import { rowLength } from './rowMeasures.ts';

/** A head's share of attention that goes to the first row, and what it gives nevertheless. All are means over the rows on show. */
export interface HeadSink {
  /** Attention on the first row: from 0 to 1. */
  readonly attention: number;
  /** The first row's share of Σⱼ ‖αᵢⱼ vⱼ W_O‖. */
  readonly weighted: number;
  /** ‖Σⱼ αᵢⱼ vⱼ W_O‖ without the first row, over the length of the stream that it is added to. */
  readonly adds: number;
}

export interface Sinks {
  /** [read] of [h] */
  readonly heads: readonly (readonly HeadSink[])[];
  /** [read] of [h, L]: ‖vⱼ W_O‖ of each key. */
  readonly valueLengths: readonly Float64Array[];
}

/** Below this share of the stream a head counts as one that does nothing. */
export const idleShare = 0.01;

/** Whether a head adds next to nothing but what the first row gives, which is the same for every prompt. */
export const isIdle = ({ adds }: HeadSink): boolean => adds < idleShare;

/** A head's attention of some rows to the keys before them and to themselves; null where the mask hides a key. */
export interface HeadMap {
  /** [rows][keys] αᵢⱼ */
  readonly attention: readonly (readonly (number | null)[])[];
  /** [rows][keys] ‖αᵢⱼ vⱼ W_O‖ */
  readonly weighted: readonly (readonly (number | null)[])[];
}

/**
 * Draws up the map of one head, over the same rows and keys. `attentions` [N, h, L, L] are those of the pass, `valueLengths` those of
 * `Sinks`, which has them of these keys.
 */
export function headMap(
  pass: EncoderPass,
  attentions: ArrayLike<number>,
  { heads, valueLengths }: Sinks,
  [layer, head]: readonly [number, number],
  rows: readonly number[],
): HeadMap {
  const L = pass.inputIds.length;
  const mask = attentionMask(pass);
  const from = (layer * heads[layer].length + head) * L * L;
  const map = (factor: (key: number) => number) =>
    rows.map((row) => rows.map((key) => (mask[row * L + key] ? attentions[from + row * L + key] * factor(key) : null)));
  return { attention: map(() => 1), weighted: map((key) => valueLengths[layer][head * L + key]) };
}

/** Projects rows [d] of any number, of which the encoder takes L at a time: their lengths after W_O. */
async function projectedLengths(
  encoder: AnalysisEncoder,
  layer: number,
  rows: readonly ArrayLike<number>[],
): Promise<Float64Array> {
  const { maxPositionEmbeddings: L, hiddenSize: d } = encoder.config;
  const lengths = new Float64Array(rows.length);
  for (let from = 0; from < rows.length; from += L) {
    const batch = rows.slice(from, from + L);
    const given = new Float32Array(L * d);
    for (const [i, row] of batch.entries()) given.set(row, i * d);
    const projected = await encoder.project(layer, given);
    for (const i of batch.keys()) lengths[from + i] = rowLength(projected, i, d);
  }
  return lengths;
}

/**
 * Measures the sink of every head up to the state that is read, which is N without clip skip: over these rows as queries, none of which
 * may be the first.
 */
export async function sinks(
  pass: EncoderPass,
  rows: readonly number[],
  read: number,
  encoder: AnalysisEncoder,
): Promise<Sinks> {
  const heads: HeadSink[][] = [];
  const valueLengths: Float64Array[] = [];
  for (let layer = 0; layer < read; layer++) {
    const of = await layerSinks(pass, layer, rows, encoder);
    heads.push(of.heads);
    valueLengths.push(of.valueLengths);
  }
  return { heads, valueLengths };
}

async function layerSinks(pass: EncoderPass, layer: number, rows: readonly number[], encoder: AnalysisEncoder) {
  const { maxPositionEmbeddings: L, hiddenSize: d, numAttentionHeads: h, headDim } = encoder.config;
  const tensors = await encoder.layer(pass, layer);
  const [p, v, x] = (['probabilities', 'v', 'hidden'] as const).map((key) => tensors.get(key)!);
  // The rows before the last one on show are all the keys that a causal mask lets them see.
  const keys = pass.causal ? Math.max(...rows) + 1 : L;
  const all = Array.from({ length: h }, (_, head) => head);
  const headRow = (head: number, numberAt: (column: number) => number) => {
    const row = new Float32Array(d);
    for (let c = head * headDim; c < (head + 1) * headDim; c++) row[c] = numberAt(c);
    return row;
  };
  const values = all.flatMap((head) => Array.from({ length: keys }, (_, key) => headRow(head, (c) => v[key * d + c])));
  const withoutFirst = all.flatMap((head) =>
    rows.map((row) =>
      headRow(head, (c) => {
        let sum = 0;
        for (let key = 1; key < keys; key++) sum += p[(head * L + row) * L + key] * v[key * d + c];
        return sum;
      }),
    ),
  );
  const lengths = await projectedLengths(encoder, layer, [...values, ...withoutFirst]);
  const valueLengths = new Float64Array(h * L);
  for (const head of all) valueLengths.set(lengths.subarray(head * keys, (head + 1) * keys), head * L);
  const mean = (of: (row: number, i: number) => number) =>
    rows.reduce((sum, row, i) => sum + of(row, i), 0) / rows.length;
  const heads = all.map((head): HeadSink => {
    const on = (row: number, key: number) => p[(head * L + row) * L + key];
    const weighed = (row: number, key: number) => on(row, key) * valueLengths[head * L + key];
    const sum = (row: number) => Array.from({ length: keys }, (_, key) => weighed(row, key)).reduce((a, b) => a + b, 0);
    return {
      attention: mean((row) => on(row, 0)),
      weighted: mean((row) => (sum(row) > 0 ? weighed(row, 0) / sum(row) : 0)),
      adds: mean((row, i) => lengths[h * keys + head * rows.length + i] / rowLength(x, row, d)),
    };
  });
  return { heads, valueLengths };
}
