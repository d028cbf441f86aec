// The neighbours of each pixel, side by side, so that a 3 × 3 convolution is a linear layer ("im2col"), for which matmul.wgsl serves.
// Pixels are rows: B pictures of SIDE × SIDE pixels, C numbers each, a multiple of 4.
// binding 0  x     [B, SIDE, SIDE, C]        f32
// binding 1  rows  [B, SIDE, SIDE, 3, 3, C]  f32, the upper left neighbour first; 0 where it lies outside
// grid: x over the 9 · C / 4 blocks of a pixel, y over the B · SIDE² pixels.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> rows: array<vec4f>;

override SIDE: u32;
override C: u32;
override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let blocks = C / 4;
  let pixel = id.y;
  if (id.x >= 9 * blocks) {
    return;
  }
  let tap = id.x / blocks;
  // The neighbour's place, each 1 too large so that none is negative.
  let row = pixel / SIDE % SIDE + tap / 3;
  let column = pixel % SIDE + tap % 3;
  var neighbour = vec4f();
  if (row > 0 && row <= SIDE && column > 0 && column <= SIDE) {
    let first = pixel / (SIDE * SIDE) * SIDE * SIDE;
    neighbour = x[(first + (row - 1) * SIDE + column - 1) * blocks + id.x % blocks];
  }
  rows[pixel * 9 * blocks + id.x] = neighbour;
}
