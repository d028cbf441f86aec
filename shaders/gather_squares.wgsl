// A step down in a U-Net: squares of 2 × 2 rows side by side, for a linear layer to join.
// B pictures; the coarse grid has SIDE × SIDE squares. C is a multiple of 4.
// binding 0  fine    [B, 2 SIDE, 2 SIDE, C]    f32
// binding 1  coarse  [B, SIDE, SIDE, 2, 2, C]  f32
// grid: one invocation for four elements.
@group(0) @binding(0) var<storage, read> fine: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> coarse: array<vec4f>;

override SIDE: u32;
override C: u32;
override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&coarse)) {
    return;
  }
  let blocks = C / 4;
  let part = id.x / blocks % 4;
  let square = id.x / (4 * blocks);
  // Rows of all pictures follow each other, so that b needs no index of its own.
  let row = 2 * (square / SIDE) + part / 2;
  let column = 2 * (square % SIDE) + part % 2;
  coarse[id.x] = fine[(row * 2 * SIDE + column) * blocks + id.x % blocks];
}
