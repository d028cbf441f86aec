// Matrix product of a linear layer (eq. 30, 31, 35), for every adapter. K and N are multiples of 4; rows may be any number.
// Needs: linear.wgsl, which has the bindings.
// grid: x over N / 4 columns, y over rows / ROWS.
// Each invocation holds a ROWS × 4 tile in registers; a row of four inputs times a 4 × 4 block of weights is one
// vector-matrix product. No workgroup memory and no barriers: this is the kernel that the faster ones are compared with.
// Sums run over k in one go, whatever ROWS is: a row does not depend on the rows computed with it.
/** Rows of an invocation: 1 to 8. */
override ROWS: u32 = 8;
override WORKGROUP_X: u32 = 32;
override WORKGROUP_Y: u32 = 2;

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  let row = id.y * ROWS;
  let last = arrayLength(&y) / (N / 4) - 1;
  if (column >= N / 4 || row > last) {
    return;
  }
  let blocks = K / 4;
  // Rows past the end repeat the last one and are not stored.
  let x0 = row * blocks;
  let x1 = min(row + 1, last) * blocks;
  let x2 = min(row + 2, last) * blocks;
  let x3 = min(row + 3, last) * blocks;
  let x4 = min(row + 4, last) * blocks;
  let x5 = min(row + 5, last) * blocks;
  let x6 = min(row + 6, last) * blocks;
  let x7 = min(row + 7, last) * blocks;
  let w0 = column * 4 * blocks;
  var y0 = vec4f();
  var y1 = vec4f();
  var y2 = vec4f();
  var y3 = vec4f();
  var y4 = vec4f();
  var y5 = vec4f();
  var y6 = vec4f();
  var y7 = vec4f();
  for (var k = 0u; k < blocks; k++) {
    let w = columns4(w0 + k, blocks);
    y0 += x[x0 + k] * w;
    if (ROWS > 1) {
      y1 += x[x1 + k] * w;
    }
    if (ROWS > 2) {
      y2 += x[x2 + k] * w;
    }
    if (ROWS > 3) {
      y3 += x[x3 + k] * w;
    }
    if (ROWS > 4) {
      y4 += x[x4 + k] * w;
    }
    if (ROWS > 5) {
      y5 += x[x5 + k] * w;
    }
    if (ROWS > 6) {
      y6 += x[x6 + k] * w;
    }
    if (ROWS > 7) {
      y7 += x[x7 + k] * w;
    }
  }
  store(row, column, y0);
  if (ROWS > 1) {
    store(row + 1, column, y1);
  }
  if (ROWS > 2) {
    store(row + 2, column, y2);
  }
  if (ROWS > 3) {
    store(row + 3, column, y3);
  }
  if (ROWS > 4) {
    store(row + 4, column, y4);
  }
  if (ROWS > 5) {
    store(row + 5, column, y5);
  }
  if (ROWS > 6) {
    store(row + 6, column, y6);
  }
  if (ROWS > 7) {
    store(row + 7, column, y7);
  }
}
