// Matrix product of a linear layer (eq. 30, 31, 35), for GPUs. K and N are multiples of 4; rows may be any number.
// Needs: linear.wgsl, which has the bindings.
// grid: x over rows / (ROWS · GROUPS), y over N / (4 · COLUMNS) columns: neighbouring workgroups share weights.
// Split-K: eight lanes share the sums of four columns of ROWS rows, and each takes every eighth block of four k. Together they
// read whole cache lines. 77 rows are few for a GPU, and this way there are eight times as many lanes as with a tile for each.
// The eight partial sums are added at the end, in workgroup memory and in the same order for every row: a row does not depend
// on the rows computed with it, but differs in its last bits from the kernels that sum over k in one go.
/** Rows of a lane: 1 to 8. */
override ROWS: u32 = 8;
/** Lane groups of a workgroup that differ in their columns, and in their rows. */
override COLUMNS: u32 = 8;
override GROUPS: u32 = 2;

var<workgroup> parts: array<vec4f, ROWS * 8 * COLUMNS * GROUPS>;

/** Index of a lane's partial sum of a row. Rotated by the row, so that lanes that read at once use different memory banks. */
fn part_at(row: u32, group: u32, lane: u32) -> u32 {
  return (row * COLUMNS * GROUPS + group) * 8 + (lane + row) % 8;
}

@compute @workgroup_size(8, COLUMNS, GROUPS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) id: vec3u) {
  let lane = id.x;
  let blocks = K / 4;
  let column = group.y * COLUMNS + id.y;
  let row = (group.x * GROUPS + id.z) * ROWS;
  let last = arrayLength(&y) / (N / 4) - 1;
  // Columns and rows past the end repeat the last one and are not stored.
  let at0 = min(column, N / 4 - 1) * 4 * blocks;
  let x0 = min(row, last) * blocks;
  let x1 = min(row + 1, last) * blocks;
  let x2 = min(row + 2, last) * blocks;
  let x3 = min(row + 3, last) * blocks;
  let x4 = min(row + 4, last) * blocks;
  let x5 = min(row + 5, last) * blocks;
  let x6 = min(row + 6, last) * blocks;
  let x7 = min(row + 7, last) * blocks;
  var y0 = vec4f();
  var y1 = vec4f();
  var y2 = vec4f();
  var y3 = vec4f();
  var y4 = vec4f();
  var y5 = vec4f();
  var y6 = vec4f();
  var y7 = vec4f();
  for (var k = lane; k < blocks; k += 8) {
    let w = transpose(columns4(at0 + k, blocks));
    y0 = add_products(y0, x[x0 + k], w);
    if (ROWS > 1) {
      y1 = add_products(y1, x[x1 + k], w);
    }
    if (ROWS > 2) {
      y2 = add_products(y2, x[x2 + k], w);
    }
    if (ROWS > 3) {
      y3 = add_products(y3, x[x3 + k], w);
    }
    if (ROWS > 4) {
      y4 = add_products(y4, x[x4 + k], w);
    }
    if (ROWS > 5) {
      y5 = add_products(y5, x[x5 + k], w);
    }
    if (ROWS > 6) {
      y6 = add_products(y6, x[x6 + k], w);
    }
    if (ROWS > 7) {
      y7 = add_products(y7, x[x7 + k], w);
    }
  }
  let here = id.z * COLUMNS + id.y;
  parts[part_at(0, here, lane)] = y0;
  if (ROWS > 1) {
    parts[part_at(1, here, lane)] = y1;
  }
  if (ROWS > 2) {
    parts[part_at(2, here, lane)] = y2;
  }
  if (ROWS > 3) {
    parts[part_at(3, here, lane)] = y3;
  }
  if (ROWS > 4) {
    parts[part_at(4, here, lane)] = y4;
  }
  if (ROWS > 5) {
    parts[part_at(5, here, lane)] = y5;
  }
  if (ROWS > 6) {
    parts[part_at(6, here, lane)] = y6;
  }
  if (ROWS > 7) {
    parts[part_at(7, here, lane)] = y7;
  }
  workgroupBarrier();
  if (lane >= ROWS || column >= N / 4) {
    return;
  }
  var product = parts[part_at(lane, here, 0)];
  for (var other = 1u; other < 8; other++) {
    product += parts[part_at(lane, here, other)];
  }
  store(row + lane, column, product);
}
