// Token embedding + position embedding (eq. 21 to 23, 46, 49 to 51, 54):
//   hidden[i, :] = token_rows[i, :] + positions[i, :]
//   token_rows [rows, d]  f32
//   positions  [rows, d]  f32
//   hidden     [rows, d]  f32
// `count` is rows · d, a multiple of 4.

export function embeddings(token_rows: usize, positions: usize, hidden: usize, count: i32): void {
  const size = <usize>count * 4;
  for (let i: usize = 0; i < size; i += 16)
    v128.store(hidden + i, f32x4.add(v128.load(token_rows + i), v128.load(positions + i)));
}
