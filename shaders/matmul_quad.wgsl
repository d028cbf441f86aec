// Matrix product of a linear layer (eq. 30, 31, 35), for adapters with subgroups. K is a multiple of 4, N of 16; rows may be any number.
// Needs: linear.wgsl, which has the bindings.
// grid: x over rows / (ROWS · WORKGROUP), y over N / 16 columns: neighbouring workgroups share weights.
// Four lanes hold 4 · ROWS × 16 outputs. They differ in their rows; each loads the weights of four of the columns, and gives
// them to the other three. On SwiftShader loads cost most, and a broadcast from a constant lane next to nothing.
/** Rows per lane, 1 to 14: as few as the rows need, because rows past the end are computed too. */
override ROWS: u32 = 10;
override WORKGROUP: u32 = 8;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let lane = index % 4;
  let row = (group.x * WORKGROUP + index - lane) * ROWS + lane;
  let blocks = K / 4;
  let column = group.y * 4;
  let last = arrayLength(&y) / (N / 4) - 1;
  // Rows past the end repeat the last one and are not stored.
  let x0 = min(row, last) * blocks;
  let x1 = min(row + 4, last) * blocks;
  let x2 = min(row + 8, last) * blocks;
  let x3 = min(row + 12, last) * blocks;
  let x4 = min(row + 16, last) * blocks;
  let x5 = min(row + 20, last) * blocks;
  let x6 = min(row + 24, last) * blocks;
  let x7 = min(row + 28, last) * blocks;
  let x8 = min(row + 32, last) * blocks;
  let x9 = min(row + 36, last) * blocks;
  let x10 = min(row + 40, last) * blocks;
  let x11 = min(row + 44, last) * blocks;
  let x12 = min(row + 48, last) * blocks;
  let x13 = min(row + 52, last) * blocks;
  let at0 = (column * 4 + lane) * blocks;
  let at1 = at0 + 4 * blocks;
  let at2 = at0 + 8 * blocks;
  let at3 = at0 + 12 * blocks;
  var y0 = mat4x4f();
  var y1 = mat4x4f();
  var y2 = mat4x4f();
  var y3 = mat4x4f();
  var y4 = mat4x4f();
  var y5 = mat4x4f();
  var y6 = mat4x4f();
  var y7 = mat4x4f();
  var y8 = mat4x4f();
  var y9 = mat4x4f();
  var y10 = mat4x4f();
  var y11 = mat4x4f();
  var y12 = mat4x4f();
  var y13 = mat4x4f();
  for (var k = 0u; k < blocks; k++) {
    let w0 = weights4(weight[at0 + k]);
    let w1 = weights4(weight[at1 + k]);
    let w2 = weights4(weight[at2 + k]);
    let w3 = weights4(weight[at3 + k]);
    let a = mat4x4f(quadBroadcast(w0, 0u), quadBroadcast(w0, 1u), quadBroadcast(w0, 2u), quadBroadcast(w0, 3u));
    let b = mat4x4f(quadBroadcast(w1, 0u), quadBroadcast(w1, 1u), quadBroadcast(w1, 2u), quadBroadcast(w1, 3u));
    let c = mat4x4f(quadBroadcast(w2, 0u), quadBroadcast(w2, 1u), quadBroadcast(w2, 2u), quadBroadcast(w2, 3u));
    let d = mat4x4f(quadBroadcast(w3, 0u), quadBroadcast(w3, 1u), quadBroadcast(w3, 2u), quadBroadcast(w3, 3u));
    {
      let v = x[x0 + k];
      y0 += mat4x4f(v * a, v * b, v * c, v * d);
    }
    if (ROWS > 1) {
      let v = x[x1 + k];
      y1 += mat4x4f(v * a, v * b, v * c, v * d);
    }
    if (ROWS > 2) {
      let v = x[x2 + k];
      y2 += mat4x4f(v * a, v * b, v * c, v * d);
    }
    if (ROWS > 3) {
      let v = x[x3 + k];
      y3 += mat4x4f(v * a, v * b, v * c, v * d);
    }
    if (ROWS > 4) {
      let v = x[x4 + k];
      y4 += mat4x4f(v * a, v * b, v * c, v * d);
    }
    if (ROWS > 5) {
      let v = x[x5 + k];
      y5 += mat4x4f(v * a, v * b, v * c, v * d);
    }
    if (ROWS > 6) {
      let v = x[x6 + k];
      y6 += mat4x4f(v * a, v * b, v * c, v * d);
    }
    if (ROWS > 7) {
      let v = x[x7 + k];
      y7 += mat4x4f(v * a, v * b, v * c, v * d);
    }
    if (ROWS > 8) {
      let v = x[x8 + k];
      y8 += mat4x4f(v * a, v * b, v * c, v * d);
    }
    if (ROWS > 9) {
      let v = x[x9 + k];
      y9 += mat4x4f(v * a, v * b, v * c, v * d);
    }
    if (ROWS > 10) {
      let v = x[x10 + k];
      y10 += mat4x4f(v * a, v * b, v * c, v * d);
    }
    if (ROWS > 11) {
      let v = x[x11 + k];
      y11 += mat4x4f(v * a, v * b, v * c, v * d);
    }
    if (ROWS > 12) {
      let v = x[x12 + k];
      y12 += mat4x4f(v * a, v * b, v * c, v * d);
    }
    if (ROWS > 13) {
      let v = x[x13 + k];
      y13 += mat4x4f(v * a, v * b, v * c, v * d);
    }
  }
  store_row(row, column, y0);
  if (ROWS > 1) {
    store_row(row + 4, column, y1);
  }
  if (ROWS > 2) {
    store_row(row + 8, column, y2);
  }
  if (ROWS > 3) {
    store_row(row + 12, column, y3);
  }
  if (ROWS > 4) {
    store_row(row + 16, column, y4);
  }
  if (ROWS > 5) {
    store_row(row + 20, column, y5);
  }
  if (ROWS > 6) {
    store_row(row + 24, column, y6);
  }
  if (ROWS > 7) {
    store_row(row + 28, column, y7);
  }
  if (ROWS > 8) {
    store_row(row + 32, column, y8);
  }
  if (ROWS > 9) {
    store_row(row + 36, column, y9);
  }
  if (ROWS > 10) {
    store_row(row + 40, column, y10);
  }
  if (ROWS > 11) {
    store_row(row + 44, column, y11);
  }
  if (ROWS > 12) {
    store_row(row + 48, column, y12);
  }
  if (ROWS > 13) {
    store_row(row + 52, column, y13);
  }
}
