/** Formulas of the changes that LoRAs of all kinds make to a weight, in float64. */

import { finalLayerNormBiasName, finalLayerNormWeightName } from '../clip/weights.ts';
import { type Axis, type Turn, turned } from './loraTurns.ts';

/** A matrix, row-major. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

/** A matrix [out, in] as the product of two thin ones. */
export interface Factors {
  /** [out, r] */
  readonly left: Matrix;
  /** [r, in] */
  readonly right: Matrix;
}

/** Unscaled change of one weight W [out, in], or of a vector [n], in the form in which the file has it. */
export type LoraChange =
  /** up · down (Hu et al. 2021, arXiv 2106.09685): `up` is [out, r], `down` [r, in]. */
  | { readonly kind: 'LoRA'; readonly rank: number; readonly up: Float32Array; readonly down: Float32Array }
  /** (a · b) ∘ (c · d), element by element (Hyeon-Woo et al. 2021, arXiv 2108.06098; LyCORIS' LoHa). */
  | { readonly kind: 'LoHa'; readonly first: Factors; readonly second: Factors }
  /** left ⊗ right, the Kronecker product (Edalati et al. 2022, arXiv 2212.10650; LyCORIS' LoKr). */
  | { readonly kind: 'LoKr'; readonly left: Matrix; readonly right: Matrix }
  /** W times a factor for each row or column (Liu et al. 2022, arXiv 2205.05638; LyCORIS' IA³, as A1111 reads it). */
  | { readonly kind: 'IA³'; readonly factors: Float32Array; readonly along: Axis }
  /**
   * Rows of W turned by orthogonal matrices, one turn after the other, and then scaled (Qiu et al. 2023, arXiv 2306.07280;
   * several turns: BOFT, Liu et al. 2023, arXiv 2311.06243). PEFT turns columns.
   */
  | {
      readonly kind: 'OFT';
      readonly turns: readonly Turn[];
      readonly along: Axis;
      /** Factors of the rows, [out]; null for none. */
      readonly rescale: Float32Array | null;
    }
  /** W · ofWeight + added (Chavan et al. 2023, arXiv 2306.07967; LyCORIS' GLoRA). */
  | { readonly kind: 'GLoRA'; readonly ofWeight: Factors; readonly added: Factors }
  /** The whole difference, as long as W. */
  | { readonly kind: 'difference'; readonly values: Float32Array }
  /** The values that take the place of W's, whatever the multiplier is (ComfyUI's `set_weight`). */
  | { readonly kind: 'replacement'; readonly values: Float32Array };

/**
 * DoRA (Liu et al. 2024, arXiv 2402.09353): the changed weight is given these norms. LyCORIS keeps norms of columns [1, in],
 * or of rows [out, 1]; PEFT keeps norms of rows [out].
 */
export interface Magnitude {
  readonly norms: Float32Array;
  readonly along: Axis;
}

/** A change that a LoRA makes to one of the encoder's tensors. */
export interface LoraUpdate {
  /** Hugging Face name of the tensor. */
  readonly target: string;
  /** The factor that belongs to the file: alpha / r, or alpha / √r of rank-stabilised LoRAs. */
  readonly scale: number;
  readonly change: LoraChange;
  readonly magnitude: Magnitude | null;
}

/** An update by two thin matrices, which does not depend on W. No other kind can be merged on the GPU. */
export interface LowRankUpdate extends LoraUpdate {
  readonly change: Extract<LoraChange, { readonly kind: 'LoRA' }>;
  readonly magnitude: null;
}

export function isLowRank(update: LoraUpdate): update is LowRankUpdate {
  return update.change.kind === 'LoRA' && update.magnitude === null;
}

/** Adds left · right [rows, columns] to `out`. */
function addProduct(out: Float64Array, left: ArrayLike<number>, right: ArrayLike<number>, rank: number): void {
  const [rows, columns] = [left.length / rank, right.length / rank];
  for (let row = 0; row < rows; row++)
    for (let r = 0; r < rank; r++) {
      const factor = left[row * rank + r];
      if (factor === 0) continue;
      for (let column = 0; column < columns; column++)
        out[row * columns + column] += factor * right[r * columns + column];
    }
}

/** Computes left · right, in float64. */
export function product({ left, right }: Factors): Float64Array {
  const out = new Float64Array(left.rows * right.columns);
  addProduct(out, left.values, right.values, left.columns);
  return out;
}

/** left ⊗ right: element [i·p + k, j·q + l] is left[i, j] · right[k, l]. */
function kronecker(left: Matrix, right: Matrix): Float64Array {
  const columns = left.columns * right.columns;
  const out = new Float64Array(left.rows * right.rows * columns);
  for (let i = 0; i < left.rows; i++)
    for (let k = 0; k < right.rows; k++)
      for (let j = 0; j < left.columns; j++) {
        const factor = left.values[i * left.columns + j];
        const at = (i * right.rows + k) * columns + j * right.columns;
        for (let l = 0; l < right.columns; l++) out[at + l] = factor * right.values[k * right.columns + l];
      }
  return out;
}

/** The change without its scale, as long as the weight. */
function unscaled(change: LoraChange, weight: ArrayLike<number>, size: number): Float64Array {
  switch (change.kind) {
    case 'LoRA': {
      const out = new Float64Array(size);
      addProduct(out, change.up, change.down, change.rank);
      return out;
    }
    case 'LoHa': {
      const second = product(change.second);
      return product(change.first).map((value, i) => value * second[i]);
    }
    case 'LoKr':
      return kronecker(change.left, change.right);
    case 'IA³': {
      const { factors, along } = change;
      const columns = along === 'columns' ? factors.length : size / factors.length;
      return Float64Array.from({ length: size }, (_, i) => {
        return weight[i] * factors[along === 'rows' ? Math.floor(i / columns) : i % columns];
      });
    }
    case 'OFT': {
      const { turns, along, rescale } = change;
      const columns = size / rowsOf(turns, along, size);
      let values = Float64Array.from(weight);
      for (const turn of turns) values = turned(values, columns, turn, along);
      return values.map((value, i) => value * (rescale?.[Math.floor(i / columns)] ?? 1) - weight[i]);
    }
    case 'GLoRA': {
      const { ofWeight, added } = change;
      const { left, right } = ofWeight;
      const thin = new Float64Array((size / left.rows) * left.columns);
      addProduct(thin, weight, left.values, left.rows);
      const out = product(added);
      addProduct(out, thin, right.values, right.rows);
      return out;
    }
    case 'difference':
      return Float64Array.from(change.values);
    case 'replacement':
      return Float64Array.from(change.values, (value, i) => value - weight[i]);
    default:
      return change satisfies never;
  }
}

/** Gives W + ΔW the norms of `magnitude`, and subtracts W again: m · (W + ΔW) / ‖W + ΔW‖ − W. */
function decompose(delta: Float64Array, weight: ArrayLike<number>, { norms, along }: Magnitude): Float64Array {
  const columns = along === 'columns' ? norms.length : delta.length / norms.length;
  const lineOf = (i: number) => (along === 'rows' ? Math.floor(i / columns) : i % columns);
  const squares = new Float64Array(norms.length);
  for (let i = 0; i < delta.length; i++) squares[lineOf(i)] += (weight[i] + delta[i]) ** 2;
  return delta.map((value, i) => {
    const line = lineOf(i);
    // A line of zeros has no direction, and stays as it is.
    const factor = squares[line] === 0 ? 1 : norms[line] / Math.sqrt(squares[line]);
    return factor * (weight[i] + value) - weight[i];
  });
}

/** Number of rows of a weight of `size` elements whose rows or columns are turned. */
function rowsOf(turns: readonly Turn[], along: Axis, size: number): number {
  const lines = turns[0].order.length;
  return along === 'rows' ? lines : size / lines;
}

/** Number of elements of a change's target. */
function sizeOf(change: LoraChange, weight: ArrayLike<number>): number {
  if (change.kind === 'LoRA') return (change.up.length / change.rank) * (change.down.length / change.rank);
  return change.kind === 'difference' || change.kind === 'replacement' ? change.values.length : weight.length;
}

/**
 * Computes ΔW for a multiplier, in float64, row-major. `weight` is W as it is before this change; it may be empty for a change
 * that does not depend on it. A1111 and ComfyUI scale first, then give the norms of DoRA, then multiply.
 */
export function loraDelta(
  { scale, change, magnitude }: LoraUpdate,
  multiplier: number,
  weight: ArrayLike<number> = [],
): Float64Array {
  const scaled = unscaled(change, weight, sizeOf(change, weight)).map((value) => value * scale);
  const delta = magnitude ? decompose(scaled, weight, magnitude) : scaled;
  if (change.kind === 'replacement') return multiplier === 0 ? delta.fill(0) : delta;
  return delta.map((value) => value * multiplier);
}

/** Applies updates of one tensor one after the other, each to what the one before has left, and rounds once. */
export function changedWeight(
  weight: Float32Array,
  updates: readonly (LoraUpdate & { readonly multiplier: number })[],
): Float32Array<ArrayBuffer> {
  const sum = Float64Array.from(weight);
  for (const update of updates) {
    const delta = loraDelta(update, update.multiplier, sum);
    for (let i = 0; i < sum.length; i++) sum[i] += delta[i];
  }
  return Float32Array.from(sum);
}

/** Weight and bias of the final LayerNorm, [d] each. */
export interface FinalLayerNorm {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/** Applies the updates of the final LayerNorm, which clip skip reads; others are passed over. */
export function mergedFinalLayerNorm(
  { weight, bias }: FinalLayerNorm,
  loras: readonly { readonly updates: readonly LoraUpdate[]; readonly multiplier: number }[],
): FinalLayerNorm {
  const updatesOf = (name: string) =>
    loras.flatMap(({ updates, multiplier }) =>
      updates.flatMap((update) => (update.target === name ? [{ ...update, multiplier }] : [])),
    );
  return {
    weight: changedWeight(weight, updatesOf(finalLayerNormWeightName)),
    bias: changedWeight(bias, updatesOf(finalLayerNormBiasName)),
  };
}

/** Computes A·Aᵀ [rank, rank] of A [rank, n], whose rows and columns are the given distances apart. */
function gram(values: Float32Array, rank: number, rowStep: number, columnStep: number): Float64Array {
  const n = values.length / rank;
  const out = new Float64Array(rank * rank);
  for (let a = 0; a < rank; a++)
    for (let b = 0; b <= a; b++) {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += values[a * rowStep + i * columnStep] * values[b * rowStep + i * columnStep];
      out[a * rank + b] = sum;
      out[b * rank + a] = sum;
    }
  return out;
}

/**
 * Computes the Frobenius norm ‖ΔW‖. For a low rank it is ‖up·down‖² = Σ (upᵀup)∘(down·downᵀ), which needs no [out, in] matrix.
 */
export function loraNorm(update: LoraUpdate, multiplier: number, weight: ArrayLike<number> = []): number {
  if (!isLowRank(update)) return norm(loraDelta(update, multiplier, weight));
  const { rank, up, down } = update.change;
  const ups = gram(up, rank, 1, rank);
  const downs = gram(down, rank, down.length / rank, 1);
  let sum = 0;
  for (let i = 0; i < ups.length; i++) sum += ups[i] * downs[i];
  // Rounding can make a sum of zero negative.
  return Math.abs(multiplier * update.scale) * Math.sqrt(Math.max(0, sum));
}

/** Frobenius norm, in float64. */
export function norm(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return Math.sqrt(sum);
}
