// The neighbours of each pixel, side by side, so that a 3 × 3 convolution is a linear layer: "im2col".
//   x     [count, side, side, C]        f32
//   rows  [count, side, side, 3, 3, C]  f32, written: the upper left neighbour first; 0 where it lies outside
// `width` is C in bytes, a multiple of 16.

/** Copies `width` bytes, a multiple of 16. */
@inline
function copy(to: usize, from: usize, width: usize): void {
  for (const end = from + width; from < end; from += 16, to += 16) v128.store(to, v128.load(from));
}

@inline
function clear(to: usize, width: usize): void {
  for (const end = to + width; to < end; to += 16) v128.store(to, f32x4.splat(0));
}

export function gather_neighbours(x: usize, rows: usize, count: i32, side: i32, width: usize): void {
  const row_width = <usize>side * width;
  for (let picture = 0; picture < count; picture++, x += <usize>side * row_width)
    for (let row = 0; row < side; row++)
      for (let column = 0; column < side; column++) {
        const first = column === 0;
        const last = column === side - 1;
        for (let y = row - 1; y <= row + 1; y++, rows += 3 * width) {
          if (y < 0 || y >= side) {
            clear(rows, 3 * width);
            continue;
          }
          // Three neighbours of a row lie side by side already.
          const from = x + <usize>y * row_width + <usize>column * width;
          const skipped = first ? width : 0;
          if (first) clear(rows, width);
          if (last) clear(rows + 2 * width, width);
          copy(rows + skipped, from - width + skipped, 3 * width - skipped - (last ? width : 0));
        }
      }
}
