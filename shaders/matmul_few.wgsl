// Matrix product of a linear layer (eq. 30, 31, 35), for a few rows on adapters with subgroups. K and N are multiples of 4;
// rows may be any number. Needs: linear.wgsl, which has the bindings.
// grid: x over N / (8 · WORKGROUP) columns, y over rows / ROWS.
// Each lane computes ROWS × 8 outputs, two groups of four columns, and reads each weight once: with few rows most reads are
// weights. Each of four lanes loads one or two rows of the inputs and gives them to the other three. Sums run over k in the
// order of matmul.wgsl, so a row is the same to the bit.
/** Rows of a lane: 1 to 8. */
override ROWS: u32 = 8;
/** A multiple of 4. */
override WORKGROUP: u32 = 32;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let lane = index % 4;
  let blocks = K / 4;
  let column = group.x * 2 * WORKGROUP + index;
  let row = group.y * ROWS;
  let last = arrayLength(&y) / (N / 4) - 1;
  // Columns and rows past the end repeat the last one and are not stored.
  let left = min(column, N / 4 - 1) * 4 * blocks;
  let right = min(column + WORKGROUP, N / 4 - 1) * 4 * blocks;
  let x0 = min(row + lane, last) * blocks;
  let x4 = min(row + 4 + lane, last) * blocks;
  var y0 = vec4f();
  var z0 = vec4f();
  var y1 = vec4f();
  var z1 = vec4f();
  var y2 = vec4f();
  var z2 = vec4f();
  var y3 = vec4f();
  var z3 = vec4f();
  var y4 = vec4f();
  var z4 = vec4f();
  var y5 = vec4f();
  var z5 = vec4f();
  var y6 = vec4f();
  var z6 = vec4f();
  var y7 = vec4f();
  var z7 = vec4f();
  for (var k = 0u; k < blocks; k++) {
    let v0 = x[x0 + k];
    var v4 = vec4f();
    if (ROWS > 4) {
      v4 = x[x4 + k];
    }
    let a = columns4(left + k, blocks);
    let b = columns4(right + k, blocks);
    {
      let v = quadBroadcast(v0, 0u);
      y0 += v * a;
      z0 += v * b;
    }
    if (ROWS > 1) {
      let v = quadBroadcast(v0, 1u);
      y1 += v * a;
      z1 += v * b;
    }
    if (ROWS > 2) {
      let v = quadBroadcast(v0, 2u);
      y2 += v * a;
      z2 += v * b;
    }
    if (ROWS > 3) {
      let v = quadBroadcast(v0, 3u);
      y3 += v * a;
      z3 += v * b;
    }
    if (ROWS > 4) {
      let v = quadBroadcast(v4, 0u);
      y4 += v * a;
      z4 += v * b;
    }
    if (ROWS > 5) {
      let v = quadBroadcast(v4, 1u);
      y5 += v * a;
      z5 += v * b;
    }
    if (ROWS > 6) {
      let v = quadBroadcast(v4, 2u);
      y6 += v * a;
      z6 += v * b;
    }
    if (ROWS > 7) {
      let v = quadBroadcast(v4, 3u);
      y7 += v * a;
      z7 += v * b;
    }
  }
  store2(row, column, y0, z0);
  if (ROWS > 1) {
    store2(row + 1, column, y1, z1);
  }
  if (ROWS > 2) {
    store2(row + 2, column, y2, z2);
  }
  if (ROWS > 3) {
    store2(row + 3, column, y3, z3);
  }
  if (ROWS > 4) {
    store2(row + 4, column, y4, z4);
  }
  if (ROWS > 5) {
    store2(row + 5, column, y5, z5);
  }
  if (ROWS > 6) {
    store2(row + 6, column, y6, z6);
  }
  if (ROWS > 7) {
    store2(row + 7, column, y7, z7);
  }
}

fn store2(row: u32, column: u32, left: vec4f, right: vec4f) {
  if (column < N / 4) {
    store(row, column, left);
  }
  if (column + WORKGROUP < N / 4) {
    store(row, column + WORKGROUP, right);
  }
}
