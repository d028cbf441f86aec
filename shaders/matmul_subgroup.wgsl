// Matrix product of a linear layer (eq. 30, 31, 35), for adapters whose subgroups all have eight lanes. K is a multiple of 4, N
// of 16; rows may be any number. Needs: linear.wgsl, which has the bindings.
// grid: x over rows / (8 · ROWS), y over N / 16 columns: neighbouring workgroups share weights.
// A workgroup is one subgroup and holds 8 · ROWS × 16 outputs, or 8 · (ROWS − 1) × 16 where the rows do not fill all workgroups; each
// case has its own loop without a branch. The lanes differ in their rows. Each loads the weights of two columns and gives them
// to the others, so that eight cache lines are waited for at once.
/** Rows of a lane, 1 to 5. */
override ROWS: u32 = 5;

/** The weights of 16 columns for four k. */
struct Columns {
  a: mat4x4f,
  b: mat4x4f,
  c: mat4x4f,
  d: mat4x4f,
}

/** Collects 16 columns from all lanes. w0 is this lane's column among the first eight, w1 among the last eight. */
fn columns_of(w0: vec4f, w1: vec4f) -> Columns {
  return Columns(
    mat4x4f(subgroupBroadcast(w0, 0u), subgroupBroadcast(w0, 1u), subgroupBroadcast(w0, 2u), subgroupBroadcast(w0, 3u)),
    mat4x4f(subgroupBroadcast(w0, 4u), subgroupBroadcast(w0, 5u), subgroupBroadcast(w0, 6u), subgroupBroadcast(w0, 7u)),
    mat4x4f(subgroupBroadcast(w1, 0u), subgroupBroadcast(w1, 1u), subgroupBroadcast(w1, 2u), subgroupBroadcast(w1, 3u)),
    mat4x4f(subgroupBroadcast(w1, 4u), subgroupBroadcast(w1, 5u), subgroupBroadcast(w1, 6u), subgroupBroadcast(w1, 7u)),
  );
}

fn times(v: vec4f, w: Columns) -> mat4x4f {
  return mat4x4f(v * w.a, v * w.b, v * w.c, v * w.d);
}

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let blocks = K / 4;
  let column = group.y * 4;
  let last = arrayLength(&y) / (N / 4) - 1;
  // Number of workgroups with ROWS rows per lane; the rest have ROWS − 1.
  let full = last / 8 + 1 - groups.x * (ROWS - 1);
  let row = (group.x * ROWS - max(group.x, full) + full) * 8 + lane;
  // Rows past the end repeat the last one and are not stored.
  let x0 = min(row, last) * blocks;
  let x1 = min(row + 8, last) * blocks;
  let x2 = min(row + 16, last) * blocks;
  let x3 = min(row + 24, last) * blocks;
  let x4 = min(row + 32, last) * blocks;
  let at0 = (column * 4 + lane) * blocks;
  let at1 = at0 + 8 * blocks;
  var y0 = mat4x4f();
  var y1 = mat4x4f();
  var y2 = mat4x4f();
  var y3 = mat4x4f();
  var y4 = mat4x4f();
  if (group.x < full) {
    for (var k = 0u; k < blocks; k++) {
      let w = columns_of(weights4(weight[at0 + k]), weights4(weight[at1 + k]));
      y0 += times(x[x0 + k], w);
      if (ROWS > 1) {
        y1 += times(x[x1 + k], w);
      }
      if (ROWS > 2) {
        y2 += times(x[x2 + k], w);
      }
      if (ROWS > 3) {
        y3 += times(x[x3 + k], w);
      }
      if (ROWS > 4) {
        y4 += times(x[x4 + k], w);
      }
    }
  } else {
    for (var k = 0u; k < blocks; k++) {
      let w = columns_of(weights4(weight[at0 + k]), weights4(weight[at1 + k]));
      if (ROWS > 1) {
        y0 += times(x[x0 + k], w);
      }
      if (ROWS > 2) {
        y1 += times(x[x1 + k], w);
      }
      if (ROWS > 3) {
        y2 += times(x[x2 + k], w);
      }
      if (ROWS > 4) {
        y3 += times(x[x3 + k], w);
      }
    }
  }
  store_row(row, column, y0);
  if (ROWS > 2 || (ROWS == 2 && group.x < full)) {
    store_row(row + 8, column, y1);
  }
  if (ROWS > 3 || (ROWS == 3 && group.x < full)) {
    store_row(row + 16, column, y2);
  }
  if (ROWS > 4 || (ROWS == 4 && group.x < full)) {
    store_row(row + 24, column, y3);
  }
  if (ROWS > 5 || (ROWS == 5 && group.x < full)) {
    store_row(row + 32, column, y4);
  }
}
