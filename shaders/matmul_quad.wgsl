// Matrix product of a linear layer (eq. 30, 31, 35), after linear.wgsl, for adapters with subgroups. K and N are multiples
// of 16, M is anything.
// grid: x over M / (ROWS · WORKGROUP) rows, y over N / 16 columns: what runs next to each other shares weights.
// Four lanes hold 4 · ROWS × 16 outputs. Each loads a quarter of the weights of a step and gives it to the other three; the
// lanes differ in their rows. On SwiftShader a load costs most, and a broadcast from a constant lane next to nothing.
/** Rows of a lane, 1 to 7: few where M is small, for rows past the end are computed too. */
override ROWS: u32 = 5;
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
  let at = column * 4 * blocks + lane;
  var y0 = mat4x4f();
  var y1 = mat4x4f();
  var y2 = mat4x4f();
  var y3 = mat4x4f();
  var y4 = mat4x4f();
  var y5 = mat4x4f();
  var y6 = mat4x4f();
  for (var k = 0u; k < blocks; k += 4) {
    let w0 = weights4(weight[at + k]);
    let w1 = weights4(weight[at + blocks + k]);
    let w2 = weights4(weight[at + 2 * blocks + k]);
    let w3 = weights4(weight[at + 3 * blocks + k]);
    let w4 = weights4(weight[at + 4 * blocks + k]);
    let w5 = weights4(weight[at + 5 * blocks + k]);
    let w6 = weights4(weight[at + 6 * blocks + k]);
    let w7 = weights4(weight[at + 7 * blocks + k]);
    let w8 = weights4(weight[at + 8 * blocks + k]);
    let w9 = weights4(weight[at + 9 * blocks + k]);
    let w10 = weights4(weight[at + 10 * blocks + k]);
    let w11 = weights4(weight[at + 11 * blocks + k]);
    let w12 = weights4(weight[at + 12 * blocks + k]);
    let w13 = weights4(weight[at + 13 * blocks + k]);
    let w14 = weights4(weight[at + 14 * blocks + k]);
    let w15 = weights4(weight[at + 15 * blocks + k]);
    {
      let a = mat4x4f(quadBroadcast(w0, 0u), quadBroadcast(w1, 0u), quadBroadcast(w2, 0u), quadBroadcast(w3, 0u));
      let b = mat4x4f(quadBroadcast(w4, 0u), quadBroadcast(w5, 0u), quadBroadcast(w6, 0u), quadBroadcast(w7, 0u));
      let c = mat4x4f(quadBroadcast(w8, 0u), quadBroadcast(w9, 0u), quadBroadcast(w10, 0u), quadBroadcast(w11, 0u));
      let d = mat4x4f(quadBroadcast(w12, 0u), quadBroadcast(w13, 0u), quadBroadcast(w14, 0u), quadBroadcast(w15, 0u));
      let v = x[x0 + k];
      y0 += mat4x4f(v * a, v * b, v * c, v * d);
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
    }
    {
      let a = mat4x4f(quadBroadcast(w0, 1u), quadBroadcast(w1, 1u), quadBroadcast(w2, 1u), quadBroadcast(w3, 1u));
      let b = mat4x4f(quadBroadcast(w4, 1u), quadBroadcast(w5, 1u), quadBroadcast(w6, 1u), quadBroadcast(w7, 1u));
      let c = mat4x4f(quadBroadcast(w8, 1u), quadBroadcast(w9, 1u), quadBroadcast(w10, 1u), quadBroadcast(w11, 1u));
      let d = mat4x4f(quadBroadcast(w12, 1u), quadBroadcast(w13, 1u), quadBroadcast(w14, 1u), quadBroadcast(w15, 1u));
      let v = x[x0 + k + 1];
      y0 += mat4x4f(v * a, v * b, v * c, v * d);
      if (ROWS > 1) {
        let v = x[x1 + k + 1];
        y1 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 2) {
        let v = x[x2 + k + 1];
        y2 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 3) {
        let v = x[x3 + k + 1];
        y3 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 4) {
        let v = x[x4 + k + 1];
        y4 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 5) {
        let v = x[x5 + k + 1];
        y5 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 6) {
        let v = x[x6 + k + 1];
        y6 += mat4x4f(v * a, v * b, v * c, v * d);
      }
    }
    {
      let a = mat4x4f(quadBroadcast(w0, 2u), quadBroadcast(w1, 2u), quadBroadcast(w2, 2u), quadBroadcast(w3, 2u));
      let b = mat4x4f(quadBroadcast(w4, 2u), quadBroadcast(w5, 2u), quadBroadcast(w6, 2u), quadBroadcast(w7, 2u));
      let c = mat4x4f(quadBroadcast(w8, 2u), quadBroadcast(w9, 2u), quadBroadcast(w10, 2u), quadBroadcast(w11, 2u));
      let d = mat4x4f(quadBroadcast(w12, 2u), quadBroadcast(w13, 2u), quadBroadcast(w14, 2u), quadBroadcast(w15, 2u));
      let v = x[x0 + k + 2];
      y0 += mat4x4f(v * a, v * b, v * c, v * d);
      if (ROWS > 1) {
        let v = x[x1 + k + 2];
        y1 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 2) {
        let v = x[x2 + k + 2];
        y2 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 3) {
        let v = x[x3 + k + 2];
        y3 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 4) {
        let v = x[x4 + k + 2];
        y4 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 5) {
        let v = x[x5 + k + 2];
        y5 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 6) {
        let v = x[x6 + k + 2];
        y6 += mat4x4f(v * a, v * b, v * c, v * d);
      }
    }
    {
      let a = mat4x4f(quadBroadcast(w0, 3u), quadBroadcast(w1, 3u), quadBroadcast(w2, 3u), quadBroadcast(w3, 3u));
      let b = mat4x4f(quadBroadcast(w4, 3u), quadBroadcast(w5, 3u), quadBroadcast(w6, 3u), quadBroadcast(w7, 3u));
      let c = mat4x4f(quadBroadcast(w8, 3u), quadBroadcast(w9, 3u), quadBroadcast(w10, 3u), quadBroadcast(w11, 3u));
      let d = mat4x4f(quadBroadcast(w12, 3u), quadBroadcast(w13, 3u), quadBroadcast(w14, 3u), quadBroadcast(w15, 3u));
      let v = x[x0 + k + 3];
      y0 += mat4x4f(v * a, v * b, v * c, v * d);
      if (ROWS > 1) {
        let v = x[x1 + k + 3];
        y1 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 2) {
        let v = x[x2 + k + 3];
        y2 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 3) {
        let v = x[x3 + k + 3];
        y3 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 4) {
        let v = x[x4 + k + 3];
        y4 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 5) {
        let v = x[x5 + k + 3];
        y5 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 6) {
        let v = x[x6 + k + 3];
        y6 += mat4x4f(v * a, v * b, v * c, v * d);
      }
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
}
