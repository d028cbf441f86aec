// Matrix product of a linear layer (eq. 30, 31, 35), for GPUs. K and N are multiples of 4; rows may be any number.
// Needs: linear.wgsl, which has the bindings.
// grid: x over rows / (8 · ROWS), y over N / 32 columns: neighbouring workgroups share weights.
// A workgroup computes a tile of 8 · ROWS × 32 outputs, ROWS × 4 in each of its 8 × 8 lanes, and goes along k in steps of 32. In
// each step the lanes first fetch the tile's inputs and weights into workgroup memory, 10 KB at most, and then multiply from
// there: memory is read once for 32 columns, or for 8 · ROWS rows. Two tiles of 40 rows hold the 77 of a pass.
// Sums run over k in one go and by fma, whatever ROWS is: a row does not depend on the rows computed with it.
/** Rows of a lane: 1 to 5. */
override ROWS: u32 = 5;

/** Distances of two rows of inputs, and of two blocks of weights: one over a power of two, so that lanes use different memory banks. */
const INPUT_STRIDE = 9u;
const WEIGHT_STRIDE = 33u;

/** Inputs of four k at row · INPUT_STRIDE + block. */
var<workgroup> inputs: array<vec4f, 8 * ROWS * INPUT_STRIDE>;
/** Weights of four columns for one k, at block · WEIGHT_STRIDE + 8 · (k mod 4) + column / 4. */
var<workgroup> tile_weights: array<vec4f, 8 * WEIGHT_STRIDE>;

/** Fetches the inputs and weights of eight blocks of four k. Past the end of K they are zeros. */
fn fetch(row: u32, column: u32, k: u32, id: vec3u) {
  let blocks = K / 4;
  let last = arrayLength(&y) / (N / 4) - 1;
  // Lanes that differ in x read neighbouring k. Columns and rows past the end repeat the last one and are not stored.
  let is_past = k + id.x >= blocks;
  let at = min(k + id.x, blocks - 1);
  for (var r = id.y; r < 8 * ROWS; r += 8) {
    inputs[r * INPUT_STRIDE + id.x] = select(x[min(row + r, last) * blocks + at], vec4f(), is_past);
  }
  let w = transpose(columns4(min(column + id.y, N / 4 - 1) * 4 * blocks + at, blocks));
  let to = id.x * WEIGHT_STRIDE + id.y;
  tile_weights[to] = select(w[0], vec4f(), is_past);
  tile_weights[to + 8] = select(w[1], vec4f(), is_past);
  tile_weights[to + 16] = select(w[2], vec4f(), is_past);
  tile_weights[to + 24] = select(w[3], vec4f(), is_past);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) id: vec3u) {
  let row = group.x * 8 * ROWS;
  let column = group.y * 8;
  var y0 = vec4f();
  var y1 = vec4f();
  var y2 = vec4f();
  var y3 = vec4f();
  var y4 = vec4f();
  for (var k = 0u; k < K / 4; k += 8) {
    fetch(row, column, k, id);
    workgroupBarrier();
    for (var block = 0u; block < 8; block++) {
      let first = block * WEIGHT_STRIDE + id.x;
      let w = mat4x4f(tile_weights[first], tile_weights[first + 8], tile_weights[first + 16], tile_weights[first + 24]);
      let at = id.y * INPUT_STRIDE + block;
      y0 = add_products(y0, inputs[at], w);
      if (ROWS > 1) {
        y1 = add_products(y1, inputs[at + 8 * INPUT_STRIDE], w);
      }
      if (ROWS > 2) {
        y2 = add_products(y2, inputs[at + 16 * INPUT_STRIDE], w);
      }
      if (ROWS > 3) {
        y3 = add_products(y3, inputs[at + 24 * INPUT_STRIDE], w);
      }
      if (ROWS > 4) {
        y4 = add_products(y4, inputs[at + 32 * INPUT_STRIDE], w);
      }
    }
    workgroupBarrier();
  }
  store_within(row + id.y, column + id.x, y0);
  if (ROWS > 1) {
    store_within(row + id.y + 8, column + id.x, y1);
  }
  if (ROWS > 2) {
    store_within(row + id.y + 16, column + id.x, y2);
  }
  if (ROWS > 3) {
    store_within(row + id.y + 24, column + id.x, y3);
  }
  if (ROWS > 4) {
    store_within(row + id.y + 32, column + id.x, y4);
  }
}

/** Stores four outputs of a row; nothing where the columns are past the end. */
fn store_within(row: u32, column: u32, product: vec4f) {
  if (column < N / 4) {
    store(row, column, product);
  }
}
