// LayerNorm over the last dimension (eq. 24 to 26, 41, 43, 48, 58, 59), biased variance:
//   y = (x − mean) / sqrt(var + ε) · weight + bias
// binding 0  x      [rows, d]  f32, some rows of B · L
// binding 1  weight [d]        f32
// binding 2  bias   [d]        f32
// binding 3  y      [rows, d]  f32
// grid: one workgroup a row. D is d of config.ts, a multiple of 4.
// In a denoiser each picture has a weight and a bias of its own: both are then one tensor [B, 2, d], which is bound twice.
// The variance is taken in a second pass about the mean: E[x²] − E[x]² would lose most of float32's digits.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

override D: u32;
override EPSILON: f32;
override WORKGROUP: u32 = 64;
/** Rows that share a weight and a bias, and the place of the bias behind its weight, in blocks of four. */
override ROWS: u32 = 0xffffffff;
override BIAS_AT: u32 = 0;

var<workgroup> partial: array<f32, WORKGROUP>;

fn row_sum(value: f32, lane: u32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  // Each lane adds up all of them, which costs less than the barriers of a tree of sums.
  var total = 0f;
  for (var i = 0u; i < WORKGROUP; i++) {
    total += partial[i];
  }
  workgroupBarrier();
  return total;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x * (D / 4);
  var sum = vec4f();
  for (var i = lane; i < D / 4; i += WORKGROUP) {
    sum += x[row + i];
  }
  let mean = row_sum(dot(sum, vec4f(1)), lane) / f32(D);

  var squares = vec4f();
  for (var i = lane; i < D / 4; i += WORKGROUP) {
    let centred = x[row + i] - mean;
    squares += centred * centred;
  }
  let variance = row_sum(dot(squares, vec4f(1)), lane) / f32(D);

  let scale = 1 / sqrt(variance + EPSILON);
  let own = group.x / ROWS * (D / 2);
  for (var i = lane; i < D / 4; i += WORKGROUP) {
    y[row + i] = (x[row + i] - mean) * scale * weight[own + i] + bias[own + BIAS_AT + i];
  }
}
