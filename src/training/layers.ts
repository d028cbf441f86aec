/**
 * The layers of both towers, forward and backward side by side. A forward pass writes its first argument. A backward pass adds to
 * the gradients of parameters; a gradient has the name of its tensor with d before it, and its docstring says whether it is written
 * or added to. Sums run in ascending order and in float64, whatever the arrays are.
 */

import { sigmoid } from '../models/elementary.ts';
import type { Parameter } from './parameters.ts';
import type { Floats, Products } from './products.ts';

/** Weight and bias of a linear layer or of a LayerNorm. */
export interface Affine {
  readonly weight: Parameter;
  readonly bias: Parameter;
}

/** Rows of a table, one for each index (eq. 23, 49, 50). table [V, d], y [indices, d]. */
export function embedding(y: Floats, table: Parameter, indices: ArrayLike<number>, d: number): void {
  for (let i = 0; i < indices.length; i++) for (let c = 0; c < d; c++) y[i * d + c] = table.value[indices[i] * d + c];
}

/** dtable += dy, row by row. */
export function embeddingBackward(table: Parameter, dy: Floats, indices: ArrayLike<number>, d: number): void {
  for (let i = 0; i < indices.length; i++)
    for (let c = 0; c < d; c++) table.gradient[indices[i] * d + c] += dy[i * d + c];
}

/** y += the first L_b position rows, in each sequence (eq. 51). y [Σ L_b, d], positions [≥ L_b, d]. */
export function addPositions(y: Floats, positions: Parameter, lengths: ArrayLike<number>, d: number): void {
  let from = 0;
  for (let b = 0; b < lengths.length; b++) {
    const count = lengths[b] * d;
    for (let i = 0; i < count; i++) y[from + i] += positions.value[i];
    from += count;
  }
}

/** dpositions += dy, summed over the sequences. */
export function addPositionsBackward(positions: Parameter, dy: Floats, lengths: ArrayLike<number>, d: number): void {
  const sums = new Float64Array(positions.gradient.length);
  let from = 0;
  for (let b = 0; b < lengths.length; b++) {
    const count = lengths[b] * d;
    for (let i = 0; i < count; i++) sums[i] += dy[from + i];
    from += count;
  }
  for (let i = 0; i < sums.length; i++) positions.gradient[i] += sums[i];
}

/** y = x Wᵀ + b (eq. 31, 35, 37, 39). x [rows, K], y [rows, N]; weight [N, K], bias [N]. */
export function linear(
  products: Products,
  y: Floats,
  x: Floats,
  { weight, bias }: Affine,
  rows: number,
  K: number,
  N: number,
): void {
  products.forward(y, x, weight.value, bias.value, rows, K, N);
}

/** Writes dx [rows, K]. dy [rows, N]. */
export function linearBackward(
  products: Products,
  dx: Floats,
  dy: Floats,
  x: Floats,
  { weight, bias }: Affine,
  rows: number,
  K: number,
  N: number,
): void {
  products.inputGradient(dx, dy, weight.value, rows, K, N);
  products.weightGradient(weight.gradient, dy, x, rows, K, N);
  biasBackward(bias, dy, rows, N);
}

/** dbias [N] += the sum of the rows of dy [rows, N]. */
export function biasBackward(bias: Parameter, dy: Floats, rows: number, N: number): void {
  const sums = new Float64Array(N);
  for (let r = 0; r < rows; r++) for (let n = 0; n < N; n++) sums[n] += dy[r * N + n];
  for (let n = 0; n < N; n++) bias.gradient[n] += sums[n];
}

/**
 * Layer normalisation of each row (eq. 25, 26): (x − mean) / √(variance + eps) · weight + bias, with the biased variance.
 * x, y [rows, d]; weight, bias [d]. `statistics` [rows, 2] receives the mean and 1 / √(variance + eps), for the backward pass.
 */
export function layerNorm(
  y: Floats,
  statistics: Floats,
  x: Floats,
  { weight, bias }: Affine,
  rows: number,
  d: number,
  eps: number,
): void {
  for (let r = 0; r < rows; r++) {
    const row = r * d;
    let mean = 0;
    for (let i = 0; i < d; i++) mean += x[row + i];
    mean /= d;
    let variance = 0;
    for (let i = 0; i < d; i++) variance += (x[row + i] - mean) * (x[row + i] - mean);
    const scale = 1 / Math.sqrt(variance / d + eps);
    for (let i = 0; i < d; i++) y[row + i] = (x[row + i] - mean) * scale * weight.value[i] + bias.value[i];
    statistics[2 * r] = mean;
    statistics[2 * r + 1] = scale;
  }
}

/** Adds to dx [rows, d]. With g = dy · weight and n the normalised row: dx += (g − mean(g) − n · mean(g n)) / √(variance + eps). */
export function layerNormBackward(
  dx: Floats,
  dy: Floats,
  x: Floats,
  statistics: Floats,
  { weight, bias }: Affine,
  rows: number,
  d: number,
): void {
  const dweight = new Float64Array(d);
  const dbias = new Float64Array(d);
  for (let r = 0; r < rows; r++) {
    const row = r * d;
    const mean = statistics[2 * r];
    const scale = statistics[2 * r + 1];
    let [sum, along] = [0, 0];
    for (let i = 0; i < d; i++) {
      const normalised = (x[row + i] - mean) * scale;
      const gradient = dy[row + i] * weight.value[i];
      sum += gradient;
      along += gradient * normalised;
      dweight[i] += dy[row + i] * normalised;
      dbias[i] += dy[row + i];
    }
    sum /= d;
    along /= d;
    for (let i = 0; i < d; i++) {
      const normalised = (x[row + i] - mean) * scale;
      dx[row + i] += (dy[row + i] * weight.value[i] - sum - normalised * along) * scale;
    }
  }
  for (let i = 0; i < d; i++) {
    weight.gradient[i] += dweight[i];
    bias.gradient[i] += dbias[i];
  }
}

/** y = x · sigmoid(1.702 x), elementwise (eq. 27). x, y [count]. */
export function quickGelu(y: Floats, x: Floats, count: number): void {
  for (let i = 0; i < count; i++) y[i] = x[i] * sigmoid(1.702 * x[i]);
}

/** Turns dy [count] into dx in place: dx = dy · s (1 + 1.702 x (1 − s)), with s = sigmoid(1.702 x). */
export function quickGeluBackward(dy: Floats, x: Floats, count: number): void {
  for (let i = 0; i < count; i++) {
    const s = sigmoid(1.702 * x[i]);
    dy[i] *= s * (1 + 1.702 * x[i] * (1 - s));
  }
}

/** y += x, elementwise (eq. 43, 44). Its backward pass is that the gradient of the sum is the gradient of both. */
export function addResidual(y: Floats, x: Floats, count: number): void {
  for (let i = 0; i < count; i++) y[i] += x[i];
}

/** y = a ⊙ b, elementwise; y may be one of both. */
export function multiply(y: Floats, a: Floats, b: Floats, count: number): void {
  for (let i = 0; i < count; i++) y[i] = a[i] * b[i];
}

/** Turns dy into da = dy ⊙ b, and writes db = dy ⊙ a. */
export function multiplyBackward(dy: Floats, db: Floats, a: Floats, b: Floats, count: number): void {
  for (let i = 0; i < count; i++) {
    db[i] = dy[i] * a[i];
    dy[i] *= b[i];
  }
}

/** y[p] = x[picks[p]]: pooling, for a text at its EOS, for a picture at its class token. x [rows, d], y [picks, d]. */
export function pickRows(y: Floats, x: Floats, picks: ArrayLike<number>, d: number): void {
  for (let p = 0; p < picks.length; p++) for (let c = 0; c < d; c++) y[p * d + c] = x[picks[p] * d + c];
}

/** Writes dx [rows, d]: rows that were not picked get no gradient. */
export function pickRowsBackward(dx: Floats, dy: Floats, picks: ArrayLike<number>, rows: number, d: number): void {
  dx.fill(0, 0, rows * d);
  for (let p = 0; p < picks.length; p++) for (let c = 0; c < d; c++) dx[picks[p] * d + c] += dy[p * d + c];
}
