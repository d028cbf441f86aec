/**
 * The dear parts of the denoiser, which a training step and a sampler share. Pixels are rows: a picture of side × side pixels is
 * [side², C], channels last, and a batch has one picture after the other. All else is in the layers' own files.
 */

import { type AttentionSizes, attention, attentionBackward, type Heads } from '../training/attentionLayer.ts';
import type { Floats } from '../training/products.ts';
import { float64Kernels, type TrainingKernels } from '../training/trainingKernels.ts';

/** B squares of side × side pixels. */
export interface Grid {
  readonly B: number;
  readonly side: number;
}

/** Added to a variance, so that a row of equal numbers stays finite. */
export const normEps = 1e-5;

export interface PictureKernels extends TrainingKernels {
  /** y = (x − mean) / √(variance + eps) · scale + shift of each row (eq. 25, 26). x, y [rows, d]; scale, shift [d]. */
  layerNorm(y: Floats, x: Floats, scale: Floats, shift: Floats, rows: number, d: number): void;
  /** Adds to dx [rows, d], dscale [d] and dshift [d]. dy [rows, d]. */
  layerNormBackward(
    dx: Floats,
    dscale: Floats,
    dshift: Floats,
    dy: Floats,
    x: Floats,
    scale: Floats,
    rows: number,
    d: number,
  ): void;
  /**
   * A 3 × 3 convolution: each pixel's nine neighbours, itself among them, through one linear layer; outside of the picture is 0.
   * x [B · side², K], weight [N, 3, 3, K] with the upper left neighbour first, bias [N] → y [B · side², N].
   */
  convolution(y: Floats, x: Floats, weight: Floats, bias: Floats, grid: Grid, K: number, N: number): void;
  /** Writes dx [B · side², K]. dy [B · side², N]. */
  convolutionInputGradient(dx: Floats, dy: Floats, weight: Floats, grid: Grid, K: number, N: number): void;
  /** Adds to dweight [N, 3, 3, K]. */
  convolutionWeightGradient(dweight: Floats, dy: Floats, x: Floats, grid: Grid, K: number, N: number): void;
  /** attentionLayer.ts says what it computes; B is 1 here, and nothing is causal. */
  attention(attended: Floats, probabilities: Floats, heads: Heads, sizes: AttentionSizes): void;
  /** attentionLayer.ts says what it computes. */
  attentionBackward(
    dheads: Heads,
    dattended: Floats,
    probabilities: Floats,
    heads: Heads,
    sizes: AttentionSizes,
    dlooks?: Floats | null,
  ): void;
}

/** Calls with each pixel, its neighbour's tap 0 … 8 and the neighbour, of those that lie in the picture. */
function eachNeighbour({ B, side }: Grid, call: (pixel: number, tap: number, neighbour: number) => void): void {
  for (let b = 0; b < B; b++)
    for (let row = 0; row < side; row++)
      for (let column = 0; column < side; column++)
        for (let tap = 0; tap < 9; tap++) {
          const [y, x] = [row + Math.floor(tap / 3) - 1, column + (tap % 3) - 1];
          if (y >= 0 && y < side && x >= 0 && x < side)
            call((b * side + row) * side + column, tap, (b * side + y) * side + x);
        }
}

/** Plain loops on float64 arrays: the judge. */
export const float64PictureKernels: PictureKernels = {
  ...float64Kernels,
  layerNorm(y, x, scale, shift, rows, d) {
    for (let r = 0; r < rows; r++) {
      const { mean, factor } = momentsOf(x, r * d, d);
      for (let i = 0; i < d; i++) y[r * d + i] = (x[r * d + i] - mean) * factor * scale[i] + shift[i];
    }
  },
  layerNormBackward(dx, dscale, dshift, dy, x, scale, rows, d) {
    for (let r = 0; r < rows; r++) {
      const { mean, factor } = momentsOf(x, r * d, d);
      let [sum, along] = [0, 0];
      for (let i = 0; i < d; i++) {
        const normalised = (x[r * d + i] - mean) * factor;
        sum += dy[r * d + i] * scale[i];
        along += dy[r * d + i] * scale[i] * normalised;
        dscale[i] += dy[r * d + i] * normalised;
        dshift[i] += dy[r * d + i];
      }
      for (let i = 0; i < d; i++) {
        const normalised = (x[r * d + i] - mean) * factor;
        dx[r * d + i] += (dy[r * d + i] * scale[i] - sum / d - (normalised * along) / d) * factor;
      }
    }
  },
  convolution(y, x, weight, bias, grid, K, N) {
    const rows = grid.B * grid.side * grid.side;
    for (let r = 0; r < rows; r++) for (let n = 0; n < N; n++) y[r * N + n] = bias[n];
    eachNeighbour(grid, (pixel, tap, neighbour) => {
      for (let n = 0; n < N; n++)
        for (let k = 0; k < K; k++) y[pixel * N + n] += weight[(n * 9 + tap) * K + k] * x[neighbour * K + k];
    });
  },
  convolutionInputGradient(dx, dy, weight, grid, K, N) {
    dx.fill(0, 0, grid.B * grid.side * grid.side * K);
    eachNeighbour(grid, (pixel, tap, neighbour) => {
      for (let n = 0; n < N; n++)
        for (let k = 0; k < K; k++) dx[neighbour * K + k] += weight[(n * 9 + tap) * K + k] * dy[pixel * N + n];
    });
  },
  convolutionWeightGradient(dweight, dy, x, grid, K, N) {
    eachNeighbour(grid, (pixel, tap, neighbour) => {
      for (let n = 0; n < N; n++)
        for (let k = 0; k < K; k++) dweight[(n * 9 + tap) * K + k] += dy[pixel * N + n] * x[neighbour * K + k];
    });
  },
  attention,
  attentionBackward,
};

/** Mean of a row of x, and 1 / √(variance + eps). */
function momentsOf(x: Floats, from: number, d: number): { mean: number; factor: number } {
  let mean = 0;
  for (let i = 0; i < d; i++) mean += x[from + i] / d;
  let variance = 0;
  for (let i = 0; i < d; i++) variance += ((x[from + i] - mean) * (x[from + i] - mean)) / d;
  return { mean, factor: 1 / Math.sqrt(variance + normEps) };
}
