// Token embedding + position embedding (eq. 21 to 23, 46, 49 to 51, 54):
//   hidden[b, i, :] = rows[b, i, :] + positions[i, :]
// binding 0  rows      [B, L, d]  f32, gathered on the CPU side
// binding 1  positions [L, d]     f32
// binding 2  hidden    [B, L, d]  f32
// grid: one invocation for four elements, over all B·L·d / 4.
@group(0) @binding(0) var<storage, read> rows: array<vec4f>;
@group(0) @binding(1) var<storage, read> positions: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> hidden: array<vec4f>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&hidden)) {
    return;
  }
  hidden[id.x] = rows[id.x] + positions[id.x % arrayLength(&positions)];
}
