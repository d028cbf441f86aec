// Matrix product of a linear layer (eq. 30, 31, 35), after linear.wgsl, for adapters whose subgroups have one known size. K is
// a multiple of 4 · SUBGROUP, N of 16, M is anything.
// grid: x over M / (ROWS · SUBGROUP) rows, y over N / 16 columns: what runs next to each other shares weights.
// One subgroup is a workgroup and holds ROWS · SUBGROUP × 16 outputs. Each lane loads its part of the weights of a step and
// gives it to the others in turn; the lanes differ in their rows.
/** Rows of a lane, 1 to 7: as few as M needs, for rows past the end are computed too. */
override ROWS: u32 = 7;
override SUBGROUP: u32;

@compute @workgroup_size(SUBGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let row = group.x * ROWS * SUBGROUP + lane;
  let blocks = K / 4;
  let column = group.y * 4;
  let last = arrayLength(&y) / (N / 4) - 1;
  // Rows past the end repeat the last one and are not stored.
  let x0 = min(row, last) * blocks;
  let x1 = min(row + SUBGROUP, last) * blocks;
  let x2 = min(row + 2 * SUBGROUP, last) * blocks;
  let x3 = min(row + 3 * SUBGROUP, last) * blocks;
  let x4 = min(row + 4 * SUBGROUP, last) * blocks;
  let x5 = min(row + 5 * SUBGROUP, last) * blocks;
  let x6 = min(row + 6 * SUBGROUP, last) * blocks;
  let at = column * 4 * blocks + lane;
  var y0 = mat4x4f();
  var y1 = mat4x4f();
  var y2 = mat4x4f();
  var y3 = mat4x4f();
  var y4 = mat4x4f();
  var y5 = mat4x4f();
  var y6 = mat4x4f();
  for (var k = 0u; k < blocks; k += SUBGROUP) {
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
    for (var turn = 0u; turn < SUBGROUP; turn++) {
      let a = mat4x4f(subgroupShuffle(w0, turn), subgroupShuffle(w1, turn), subgroupShuffle(w2, turn), subgroupShuffle(w3, turn));
      let b = mat4x4f(subgroupShuffle(w4, turn), subgroupShuffle(w5, turn), subgroupShuffle(w6, turn), subgroupShuffle(w7, turn));
      let c = mat4x4f(subgroupShuffle(w8, turn), subgroupShuffle(w9, turn), subgroupShuffle(w10, turn), subgroupShuffle(w11, turn));
      let d = mat4x4f(subgroupShuffle(w12, turn), subgroupShuffle(w13, turn), subgroupShuffle(w14, turn), subgroupShuffle(w15, turn));
      let v = x[x0 + k + turn];
      y0 += mat4x4f(v * a, v * b, v * c, v * d);
      if (ROWS > 1) {
        let v = x[x1 + k + turn];
        y1 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 2) {
        let v = x[x2 + k + turn];
        y2 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 3) {
        let v = x[x3 + k + turn];
        y3 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 4) {
        let v = x[x4 + k + turn];
        y4 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 5) {
        let v = x[x5 + k + turn];
        y5 += mat4x4f(v * a, v * b, v * c, v * d);
      }
      if (ROWS > 6) {
        let v = x[x6 + k + turn];
        y6 += mat4x4f(v * a, v * b, v * c, v * d);
      }
    }
  }
  store_row(row, column, y0);
  if (ROWS > 1) {
    store_row(row + SUBGROUP, column, y1);
  }
  if (ROWS > 2) {
    store_row(row + 2 * SUBGROUP, column, y2);
  }
  if (ROWS > 3) {
    store_row(row + 3 * SUBGROUP, column, y3);
  }
  if (ROWS > 4) {
    store_row(row + 4 * SUBGROUP, column, y4);
  }
  if (ROWS > 5) {
    store_row(row + 5 * SUBGROUP, column, y5);
  }
  if (ROWS > 6) {
    store_row(row + 6 * SUBGROUP, column, y6);
  }
}
