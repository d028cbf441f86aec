// Matrix product of a linear layer (eq. 30, 31, 35), after linear.wgsl, for a few rows on adapters with subgroups. K is a
// multiple of 16, N of 4, M is anything.
// grid: x over N / (4 · WORKGROUP) columns, y over M / ROWS rows.
// Each lane does four columns of ROWS rows, so that the weights, which are most of what a few rows read, are read once. Of the
// inputs each of four lanes loads a quarter of a step and gives it to the other three. Sums run over k in the same order as in
// the other kernels: a row comes out the same whichever of them does it.
/** Rows of a lane: 1 to 8. */
override ROWS: u32 = 8;
/** A multiple of 4. */
override WORKGROUP: u32 = 32;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let lane = index % 4;
  let blocks = K / 4;
  let column = group.x * WORKGROUP + index;
  let row = group.y * ROWS;
  let last = arrayLength(&y) / (N / 4) - 1;
  // Columns and rows past the end repeat the last one and are not stored.
  let at0 = min(column, N / 4 - 1) * 4 * blocks;
  let at1 = at0 + blocks;
  let at2 = at1 + blocks;
  let at3 = at2 + blocks;
  let x0 = min(row, last) * blocks + lane;
  let x1 = min(row + 1, last) * blocks + lane;
  let x2 = min(row + 2, last) * blocks + lane;
  let x3 = min(row + 3, last) * blocks + lane;
  let x4 = min(row + 4, last) * blocks + lane;
  let x5 = min(row + 5, last) * blocks + lane;
  let x6 = min(row + 6, last) * blocks + lane;
  let x7 = min(row + 7, last) * blocks + lane;
  var y0 = vec4f();
  var y1 = vec4f();
  var y2 = vec4f();
  var y3 = vec4f();
  var y4 = vec4f();
  var y5 = vec4f();
  var y6 = vec4f();
  var y7 = vec4f();
  for (var k = 0u; k < blocks; k += 4) {
    let v0 = x[x0 + k];
    let v1 = x[x1 + k];
    let v2 = x[x2 + k];
    let v3 = x[x3 + k];
    let v4 = x[x4 + k];
    let v5 = x[x5 + k];
    let v6 = x[x6 + k];
    let v7 = x[x7 + k];
    let a = mat4x4f(weights4(weight[at0 + k]), weights4(weight[at1 + k]), weights4(weight[at2 + k]), weights4(weight[at3 + k]));
    let b = mat4x4f(weights4(weight[at0 + k + 1]), weights4(weight[at1 + k + 1]), weights4(weight[at2 + k + 1]), weights4(weight[at3 + k + 1]));
    let c = mat4x4f(weights4(weight[at0 + k + 2]), weights4(weight[at1 + k + 2]), weights4(weight[at2 + k + 2]), weights4(weight[at3 + k + 2]));
    let d = mat4x4f(weights4(weight[at0 + k + 3]), weights4(weight[at1 + k + 3]), weights4(weight[at2 + k + 3]), weights4(weight[at3 + k + 3]));
    y0 += quadBroadcast(v0, 0u) * a;
    y0 += quadBroadcast(v0, 1u) * b;
    y0 += quadBroadcast(v0, 2u) * c;
    y0 += quadBroadcast(v0, 3u) * d;
    if (ROWS > 1) {
      y1 += quadBroadcast(v1, 0u) * a;
      y1 += quadBroadcast(v1, 1u) * b;
      y1 += quadBroadcast(v1, 2u) * c;
      y1 += quadBroadcast(v1, 3u) * d;
    }
    if (ROWS > 2) {
      y2 += quadBroadcast(v2, 0u) * a;
      y2 += quadBroadcast(v2, 1u) * b;
      y2 += quadBroadcast(v2, 2u) * c;
      y2 += quadBroadcast(v2, 3u) * d;
    }
    if (ROWS > 3) {
      y3 += quadBroadcast(v3, 0u) * a;
      y3 += quadBroadcast(v3, 1u) * b;
      y3 += quadBroadcast(v3, 2u) * c;
      y3 += quadBroadcast(v3, 3u) * d;
    }
    if (ROWS > 4) {
      y4 += quadBroadcast(v4, 0u) * a;
      y4 += quadBroadcast(v4, 1u) * b;
      y4 += quadBroadcast(v4, 2u) * c;
      y4 += quadBroadcast(v4, 3u) * d;
    }
    if (ROWS > 5) {
      y5 += quadBroadcast(v5, 0u) * a;
      y5 += quadBroadcast(v5, 1u) * b;
      y5 += quadBroadcast(v5, 2u) * c;
      y5 += quadBroadcast(v5, 3u) * d;
    }
    if (ROWS > 6) {
      y6 += quadBroadcast(v6, 0u) * a;
      y6 += quadBroadcast(v6, 1u) * b;
      y6 += quadBroadcast(v6, 2u) * c;
      y6 += quadBroadcast(v6, 3u) * d;
    }
    if (ROWS > 7) {
      y7 += quadBroadcast(v7, 0u) * a;
      y7 += quadBroadcast(v7, 1u) * b;
      y7 += quadBroadcast(v7, 2u) * c;
      y7 += quadBroadcast(v7, 3u) * d;
    }
  }
  if (column >= N / 4) {
    return;
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
