// Matrix product of a linear layer (eq. 30, 31, 35), after linear.wgsl, for adapters whose subgroups have one known size. K is
// a multiple of 4 · SUBGROUP, N of 16, M is anything.
// grid: x over N / 16 columns, y over M / (5 · SUBGROUP) rows.
// One subgroup is a workgroup and holds 5 · SUBGROUP × 16 outputs. Each lane loads its part of the weights of a step and
// gives it to the others in turn; the lanes differ in their rows.
override SUBGROUP: u32;

@compute @workgroup_size(SUBGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let blocks = K / 4;
  let column = group.x * 4;
  let row = group.y * 5 * SUBGROUP + lane;
  let last = arrayLength(&y) / (N / 4) - 1;
  // Rows past the end repeat the last one and are not stored.
  let x0 = min(row, last) * blocks;
  let x1 = min(row + SUBGROUP, last) * blocks;
  let x2 = min(row + 2 * SUBGROUP, last) * blocks;
  let x3 = min(row + 3 * SUBGROUP, last) * blocks;
  let x4 = min(row + 4 * SUBGROUP, last) * blocks;
  let at = column * 4 * blocks + lane;
  var a0 = vec4f();
  var b0 = vec4f();
  var c0 = vec4f();
  var d0 = vec4f();
  var a1 = vec4f();
  var b1 = vec4f();
  var c1 = vec4f();
  var d1 = vec4f();
  var a2 = vec4f();
  var b2 = vec4f();
  var c2 = vec4f();
  var d2 = vec4f();
  var a3 = vec4f();
  var b3 = vec4f();
  var c3 = vec4f();
  var d3 = vec4f();
  var a4 = vec4f();
  var b4 = vec4f();
  var c4 = vec4f();
  var d4 = vec4f();
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
      let v0 = x[x0 + k + turn];
      let v1 = x[x1 + k + turn];
      let v2 = x[x2 + k + turn];
      let v3 = x[x3 + k + turn];
      let v4 = x[x4 + k + turn];
      let a = mat4x4f(subgroupShuffle(w0, turn), subgroupShuffle(w1, turn), subgroupShuffle(w2, turn), subgroupShuffle(w3, turn));
      a0 += v0 * a;
      a1 += v1 * a;
      a2 += v2 * a;
      a3 += v3 * a;
      a4 += v4 * a;
      let b = mat4x4f(subgroupShuffle(w4, turn), subgroupShuffle(w5, turn), subgroupShuffle(w6, turn), subgroupShuffle(w7, turn));
      b0 += v0 * b;
      b1 += v1 * b;
      b2 += v2 * b;
      b3 += v3 * b;
      b4 += v4 * b;
      let c = mat4x4f(subgroupShuffle(w8, turn), subgroupShuffle(w9, turn), subgroupShuffle(w10, turn), subgroupShuffle(w11, turn));
      c0 += v0 * c;
      c1 += v1 * c;
      c2 += v2 * c;
      c3 += v3 * c;
      c4 += v4 * c;
      let d = mat4x4f(subgroupShuffle(w12, turn), subgroupShuffle(w13, turn), subgroupShuffle(w14, turn), subgroupShuffle(w15, turn));
      d0 += v0 * d;
      d1 += v1 * d;
      d2 += v2 * d;
      d3 += v3 * d;
      d4 += v4 * d;
    }
  }
  store(row, column, a0);
  store(row, column + 1, b0);
  store(row, column + 2, c0);
  store(row, column + 3, d0);
  store(row + SUBGROUP, column, a1);
  store(row + SUBGROUP, column + 1, b1);
  store(row + SUBGROUP, column + 2, c1);
  store(row + SUBGROUP, column + 3, d1);
  store(row + 2 * SUBGROUP, column, a2);
  store(row + 2 * SUBGROUP, column + 1, b2);
  store(row + 2 * SUBGROUP, column + 2, c2);
  store(row + 2 * SUBGROUP, column + 3, d2);
  store(row + 3 * SUBGROUP, column, a3);
  store(row + 3 * SUBGROUP, column + 1, b3);
  store(row + 3 * SUBGROUP, column + 2, c3);
  store(row + 3 * SUBGROUP, column + 3, d3);
  store(row + 4 * SUBGROUP, column, a4);
  store(row + 4 * SUBGROUP, column + 1, b4);
  store(row + 4 * SUBGROUP, column + 2, c4);
  store(row + 4 * SUBGROUP, column + 3, d4);
}
