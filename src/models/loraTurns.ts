/** Orthogonal matrices of OFT and BOFT, which turn the rows or columns of a weight, in float64. */

/** Whether there is one number, or one place in a turn, for each row, or for each column. */
export type Axis = 'rows' | 'columns';

/** Blocks of rows, or of columns, each turned by an orthogonal matrix. */
export interface Turn {
  /** Number n of lines in a block. */
  readonly size: number;
  /** [blocks, n, n], or [1, n, n] for all blocks. */
  readonly matrices: Float64Array;
  /** [lines] The index of the line that is at each place of the blocks, one block after the other. */
  readonly order: Uint32Array;
}

/** Multiplies blocks of rows, or of columns, of a matrix with so many columns by the matrices of a turn. */
export function turned(
  values: Float64Array<ArrayBuffer>,
  columns: number,
  { size, matrices, order }: Turn,
  along: Axis,
): Float64Array<ArrayBuffer> {
  const rows = values.length / columns;
  const [lineStep, step, length] = along === 'rows' ? [columns, 1, columns] : [1, columns, rows];
  const out = new Float64Array(values.length);
  for (let place = 0; place < order.length; place++) {
    const first = place - (place % size);
    const line = order[place] * lineStep;
    for (let q = 0; q < size; q++) {
      const factor = matrices[(place * size + q) % matrices.length];
      const from = order[first + q] * lineStep;
      for (let i = 0; i < length; i++) out[line + i * step] += factor * values[from + i * step];
    }
  }
  return out;
}

/** Lines in their own order. */
export const inOrder = (lines: number) => Uint32Array.from({ length: lines }, (_, i) => i);

/**
 * The order of the lines in turn number `level` of BOFT: of two neighbouring groups of 2^level · n / 2 lines each, one line of
 * the first is followed by one of the second.
 */
export function butterfly(lines: number, size: number, level: number): Uint32Array {
  const group = (2 ** level * size) / 2;
  return Uint32Array.from({ length: lines }, (_, place) => {
    const within = place % (2 * group);
    return place - within + (within % 2) * group + Math.floor(within / 2);
  });
}

/** Transposes each of the matrices [count, n, n]. */
export function transposedBlocks(matrices: Float64Array, size: number): Float64Array {
  return Float64Array.from(matrices, (_, i) => {
    const [row, column] = [Math.floor(i / size) % size, i % size];
    return matrices[i - row * size - column + column * size + row];
  });
}

/** Q = A − Aᵀ of each of the blocks A [count, n, n]. */
export function skewed(blocks: ArrayLike<number>, size: number): Float64Array {
  const values = Float64Array.from(blocks);
  const transposed = transposedBlocks(values, size);
  return values.map((value, i) => value - transposed[i]);
}

/** Makes the norm of all of Q at most `limit`, where there is one; the small number is A1111's, against division by 0. */
export function limited(skew: Float64Array, limit: number): Float64Array {
  if (limit === 0) return skew;
  const norm = Math.sqrt(skew.reduce((sum, value) => sum + value * value, 0));
  const factor = (Math.min(norm, limit) + 1e-8) / (norm + 1e-8);
  return skew.map((value) => value * factor);
}

/** Cayley's (I + Q)(I − Q)⁻¹ of each skew-symmetric Q [count, n, n]: an orthogonal matrix. */
export function cayley(skew: Float64Array, size: number): Float64Array {
  const out = new Float64Array(skew.length);
  for (let at = 0; at < skew.length; at += size * size) {
    const left = new Float64Array(size * size);
    const right = new Float64Array(size * size);
    for (let i = 0; i < left.length; i++) {
      const identity = i % (size + 1) === 0 ? 1 : 0;
      left[i] = identity - skew[at + i];
      right[i] = identity + skew[at + i];
    }
    // Both factors commute, so that the inverse may stand on the left.
    solve(left, right, size);
    out.set(right, at);
  }
  return out;
}

/**
 * PEFT's series for (I + Q)(I − Q)⁻¹: I + 2Q + 2Q² + … of so many terms, the last but for 2 terms once. [count, n, n]
 */
export function neumann(skew: Float64Array, size: number, terms: number): Float64Array {
  const last = terms > 2 ? Math.max(3, terms - 1) : terms - 1;
  const factorOf = (power: number) => (terms > 2 && power === last ? 1 : 2);
  const out = new Float64Array(skew.length);
  for (let at = 0; at < skew.length; at += size * size) {
    const q = skew.subarray(at, at + size * size);
    for (let i = 0; i < size; i++) out[at + i * size + i] = 1;
    let power = q;
    for (let exponent = 1; exponent <= last; exponent++) {
      if (exponent > 1) power = squareProduct(power, q, size);
      for (let i = 0; i < power.length; i++) out[at + i] += factorOf(exponent) * power[i];
    }
  }
  return out;
}

/** A · B of matrices [n, n]. */
function squareProduct(a: Float64Array, b: Float64Array, n: number): Float64Array<ArrayBuffer> {
  const out = new Float64Array(n * n);
  for (let row = 0; row < n; row++)
    for (let k = 0; k < n; k++)
      for (let column = 0; column < n; column++) out[row * n + column] += a[row * n + k] * b[k * n + column];
  return out;
}

/** Skew-symmetric matrices [count, n, n] whose elements above the diagonal stand in rows [count, n · (n − 1) / 2]. */
export function skewFromUpper(upper: ArrayLike<number>, size: number): Float64Array {
  const count = upper.length / ((size * (size - 1)) / 2);
  const out = new Float64Array(count * size * size);
  let from = 0;
  for (let block = 0; block < count; block++)
    for (let row = 0; row < size; row++)
      for (let column = row + 1; column < size; column++) {
        const value = upper[from++];
        out[(block * size + row) * size + column] = value;
        out[(block * size + column) * size + row] = -value;
      }
  return out;
}

/** Makes the norm of each block of Q [count, n, n] at most `bound` / √count, as PEFT's constrained OFT does. */
export function limitedBlocks(skew: Float64Array, size: number, bound: number): Float64Array {
  const area = size * size;
  const limit = bound / Math.sqrt(skew.length / area);
  const out = Float64Array.from(skew);
  for (let at = 0; at < out.length; at += area) {
    const block = out.subarray(at, at + area);
    const norm = Math.sqrt(block.reduce((sum, value) => sum + value * value, 0));
    if (norm > limit) for (let i = 0; i < area; i++) block[i] *= limit / norm;
  }
  return out;
}

/** Solves A X = B for [n, n] by elimination, in place: B becomes X. I − Q has no singular value below 1, so A is never singular. */
function solve(a: Float64Array, b: Float64Array, n: number): void {
  const swap = (values: Float64Array, row: number, other: number) => {
    for (let i = 0; i < n; i++) {
      const value = values[row * n + i];
      values[row * n + i] = values[other * n + i];
      values[other * n + i] = value;
    }
  };
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let row = k + 1; row < n; row++) if (Math.abs(a[row * n + k]) > Math.abs(a[pivot * n + k])) pivot = row;
    if (pivot !== k) for (const values of [a, b]) swap(values, k, pivot);
    for (let row = 0; row < n; row++) {
      if (row === k) continue;
      const factor = a[row * n + k] / a[k * n + k];
      if (factor === 0) continue;
      for (let i = k; i < n; i++) a[row * n + i] -= factor * a[k * n + i];
      for (let i = 0; i < n; i++) b[row * n + i] -= factor * b[k * n + i];
    }
  }
  for (let row = 0; row < n; row++) for (let i = 0; i < n; i++) b[row * n + i] /= a[row * n + row];
}
