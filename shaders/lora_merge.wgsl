// Adds low-rank updates to a linear layer's weight. The updates of several LoRAs are stacked into one, whose rank R is the sum
// of theirs. Needs: weights_f32.wgsl, weights_f16.wgsl or weights_bf16.wgsl.
//   merged = weight + upᵀ · down
// K is in and N is out of the linear layer.
// binding 0  weight  [N, K]   f32, f16 or bf16, as checkpoints store it
// binding 1  up      [R, N′]  f32, N′: N rounded up to 8; multiplier · alpha / rank is in it
// binding 2  down    [R, K]   f32
// binding 3  merged  [N, K]   f32, as half precision would round small updates away
// grid: (⌈K/4/16⌉, ⌈N/8/4⌉, 1); a thread has 8 rows of 4 elements. The update is summed before the weight is added, so that a
// large weight does not round each rank's share of it.
@group(0) @binding(0) var<storage, read> weight: array<WeightBlock>;
@group(0) @binding(1) var<storage, read> up: array<vec4f>;
@group(0) @binding(2) var<storage, read> down: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> merged: array<vec4f>;

override K: u32;

/** Outer product: row i is u[i] · v. */
fn outer(u: vec4f, v: vec4f) -> mat4x4f {
  return mat4x4f(u.x * v, u.y * v, u.z * v, u.w * v);
}

/** Stores four merged elements; nothing where the row is past the end. */
fn store(row: u32, column: u32, update: vec4f) {
  let at = row * (K / 4) + column;
  if (at < arrayLength(&merged)) {
    merged[at] = weights4(weight[at]) + update;
  }
}

fn store_rows(row: u32, column: u32, update: mat4x4f) {
  store(row, column, update[0]);
  store(row + 1, column, update[1]);
  store(row + 2, column, update[2]);
  store(row + 3, column, update[3]);
}

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  let blocks = K / 4;
  let ranks = arrayLength(&down) / blocks;
  let row_blocks = arrayLength(&up) / ranks;
  if (column >= blocks || 2 * id.y >= row_blocks) {
    return;
  }
  var first = mat4x4f();
  var second = mat4x4f();
  for (var r = 0u; r < ranks; r++) {
    let across = down[r * blocks + column];
    let along = r * row_blocks + 2 * id.y;
    first += outer(up[along], across);
    second += outer(up[along + 1], across);
  }
  store_rows(8 * id.y, column, first);
  store_rows(8 * id.y + 4, column, second);
}
