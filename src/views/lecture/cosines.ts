/** How alike the rows of a table are. */

/** ⟨a, b⟩ / (‖a‖ ‖b‖) of two rows of [·, d]; 0 where a row is 0. */
export function cosineOf(table: ArrayLike<number>, a: number, b: number, d: number): number {
  let [product, left, right] = [0, 0, 0];
  for (let c = 0; c < d; c++) {
    const [x, y] = [table[a * d + c], table[b * d + c]];
    product += x * y;
    left += x * x;
    right += y * y;
  }
  return left > 0 && right > 0 ? product / Math.sqrt(left * right) : 0;
}

/** The cosine of each row with each other, [rows, rows]. */
export function cosines(table: ArrayLike<number>, d: number): Float32Array {
  const rows = table.length / d;
  const all = new Float32Array(rows * rows);
  for (let a = 0; a < rows; a++)
    for (let b = 0; b <= a; b++) {
      const cosine = cosineOf(table, a, b, d);
      all[a * rows + b] = cosine;
      all[b * rows + a] = cosine;
    }
  return all;
}
