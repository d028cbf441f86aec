// Adds low-rank updates to a linear layer's weight; the updates of several LoRAs stand side by side, as one of all their
// ranks together.
//   merged = weight + up · diag(scales) · down
// binding 0  weight  [N, K]  f32, f16 or bf16, as checkpoints store it
// binding 1  up      [N, R]  f32
// binding 2  down    [R, K]  f32
// binding 3  scales  [R]     f32, multiplier · alpha / rank of the LoRA that each rank is of
// binding 4  merged  [N, K]  f32, as half precision would round small updates away
// grid: (⌈N·K/4/64⌉, 1, 1); a thread has four neighbouring elements. The update is summed before the weight is added, so that
// a large weight does not round each rank's share of it.
@group(0) @binding(0) var<storage, read> weight: array<WeightBlock>;
@group(0) @binding(1) var<storage, read> up: array<f32>;
@group(0) @binding(2) var<storage, read> down: array<vec4f>;
@group(0) @binding(3) var<storage, read> scales: array<f32>;
@group(0) @binding(4) var<storage, read_write> merged: array<vec4f>;

override K: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let at = id.x;
  if (at >= arrayLength(&merged)) {
    return;
  }
  let blocks = K / 4;
  let row = at / blocks;
  let column = at % blocks;
  let ranks = arrayLength(&scales);
  var update = vec4f();
  for (var r = 0u; r < ranks; r++) {
    update += (scales[r] * up[row * ranks + r]) * down[r * blocks + column];
  }
  merged[at] = weights4(weight[at]) + update;
}
