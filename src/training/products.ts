/**
 * The three matrix products of a linear layer, which take most of a training step. Letters: `rows` of the batch, K numbers
 * in and N numbers out of the layer. Every array begins at its matrix and may be longer.
 */

/** Float64 is exact to judge by, float32 is fast. */
export type Floats = Float32Array | Float64Array;

export interface Products {
  /** A new array of zeros of which these products can read and write any part. */
  allocate(length: number): Floats;
  /** y = x Wᵀ + b (eq. 31, 35, 37, 39). x [rows, K], weight [N, K], bias [N] or null for none → y [rows, N]. */
  forward(y: Floats, x: Floats, weight: Floats, bias: Floats | null, rows: number, K: number, N: number): void;
  /** dx = dy W. dy [rows, N], weight [N, K] → dx [rows, K]. */
  inputGradient(dx: Floats, dy: Floats, weight: Floats, rows: number, K: number, N: number): void;
  /** dW += dyᵀ x. dy [rows, N], x [rows, K] → dweight [N, K]. */
  weightGradient(dweight: Floats, dy: Floats, x: Floats, rows: number, K: number, N: number): void;
}

/** The products as float64 loops, each sum in ascending order. */
export const float64Products: Products = {
  allocate: (length) => new Float64Array(length),
  forward(y, x, weight, bias, rows, K, N) {
    for (let r = 0; r < rows; r++)
      for (let n = 0; n < N; n++) {
        let sum = 0;
        for (let k = 0; k < K; k++) sum += x[r * K + k] * weight[n * K + k];
        y[r * N + n] = sum + (bias ? bias[n] : 0);
      }
  },
  inputGradient(dx, dy, weight, rows, K, N) {
    dx.fill(0, 0, rows * K);
    for (let r = 0; r < rows; r++)
      for (let n = 0; n < N; n++) {
        const gradient = dy[r * N + n];
        for (let k = 0; k < K; k++) dx[r * K + k] += gradient * weight[n * K + k];
      }
  },
  weightGradient(dweight, dy, x, rows, K, N) {
    for (let r = 0; r < rows; r++)
      for (let n = 0; n < N; n++) {
        const gradient = dy[r * N + n];
        for (let k = 0; k < K; k++) dweight[n * K + k] += gradient * x[r * K + k];
      }
  },
};
