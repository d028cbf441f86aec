// A step up in a U-Net: squares are parted into their 2 × 2 rows and added to the rows that were there before the step down.
// B pictures; the coarse grid has SIDE × SIDE squares. C is a multiple of 4.
// binding 0  fine    [B, 2 SIDE, 2 SIDE, C]    f32
// binding 1  coarse  [B, SIDE, SIDE, 2, 2, C]  f32
// binding 2  y       [B, 2 SIDE, 2 SIDE, C]    f32
// grid: one invocation for four elements.
@group(0) @binding(0) var<storage, read> fine: array<vec4f>;
@group(0) @binding(1) var<storage, read> coarse: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

override SIDE: u32;
override C: u32;
override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&y)) {
    return;
  }
  let blocks = C / 4;
  let pixel = id.x / blocks;
  // Rows of all pictures follow each other, so that b needs no index of its own.
  let row = pixel / (2 * SIDE);
  let column = pixel % (2 * SIDE);
  let part = row % 2 * 2 + column % 2;
  let square = row / 2 * SIDE + column / 2;
  y[id.x] = fine[id.x] + coarse[(square * 4 + part) * blocks + id.x % blocks];
}
