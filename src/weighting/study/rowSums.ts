/** Sums over a row of each of two matrices, in float64: distances, norms and cosines follow from them. */
export interface RowSums {
  /** Σ (aᵢ − bᵢ)² */
  readonly change: number;
  /** Σ aᵢ² */
  readonly a: number;
  /** Σ bᵢ² */
  readonly b: number;
  /** Σ aᵢ bᵢ */
  readonly product: number;
}

/** Sums row `rowA` of `a` and row `rowB` of `b`. a, b [rows, d]. */
export function rowSums(a: Float32Array, rowA: number, b: Float32Array, rowB: number, d: number): RowSums {
  const [fromA, fromB] = [rowA * d, rowB * d];
  let change = 0;
  let squareA = 0;
  let squareB = 0;
  let product = 0;
  for (let i = 0; i < d; i++) {
    const x = a[fromA + i];
    const y = b[fromB + i];
    change += (x - y) * (x - y);
    squareA += x * x;
    squareB += y * y;
    product += x * y;
  }
  return { change, a: squareA, b: squareB, product };
}

/** ‖a − b‖₂ of row `rowA` of `a` and row `rowB` of `b`, both [·, d]: exactly 0 of equal rows, NaN where a value of either is not finite. */
export function rowDistance(a: ArrayLike<number>, rowA: number, b: ArrayLike<number>, rowB: number, d: number): number {
  const [fromA, fromB] = [rowA * d, rowB * d];
  let sum = 0;
  for (let i = 0; i < d; i++) sum += (a[fromA + i] - b[fromB + i]) * (a[fromA + i] - b[fromB + i]);
  return Number.isFinite(sum) ? Math.sqrt(sum) : Number.NaN;
}

/** Gives the cosine of two rows: exactly 1 of equal ones, which rounding would leave a little short; NaN where one is 0. */
export function cosineOf({ change, a, b, product }: RowSums): number {
  return change === 0 && a > 0 ? 1 : clamped(product / Math.sqrt(a * b));
}

/** The cosine within [−1, 1]; rounding can carry it past. */
export function clamped(cosine: number): number {
  return Math.min(1, Math.max(-1, cosine));
}
