// An elementwise product: y = a ⊙ b.
// binding 0  a [n]  f32, n a multiple of 4
// binding 1  b [n]  f32
// binding 2  y [n]  f32
// grid: one invocation for four elements.
@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&y)) {
    return;
  }
  y[id.x] = a[id.x] * b[id.x];
}
