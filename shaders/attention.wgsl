// Masked softmax attention of every head (eq. 32 to 34), with its probabilities:
//   s[i, j] = q[i] · k[j] / √HEAD_DIM,   p[i, :] = softmax of s[i, j] over the j with mask[i, j] = 1, 0 elsewhere,
//   o[i] = Σ_j p[i, j] v[j],             the heads side by side in o.
// binding 0  qkv           [B, L, 3, H, HEAD_DIM]  f32
// binding 1  mask          [B, L, L]               u32, 1 where query i may look at key j
// binding 2  range         [3]                     u32, the first query to do, the one to stop before, and the first b
// binding 3  probabilities [B, H, L, L]            f32
// binding 4  attended      [B, L, H, HEAD_DIM]     f32
// grid: x over the queries of the range, y over heads, z over the passes to do. HEAD_DIM is a multiple of 4, at most 64.
// One invocation a query: its row of probabilities first holds the scores. Masked scores are never computed, so nothing
// passes through infinity, and masked probabilities are exact zeros; a query that may look at nothing gets a row of zeros.
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> mask: array<u32>;
@group(0) @binding(2) var<storage, read> range: array<u32>;
@group(0) @binding(3) var<storage, read_write> probabilities: array<f32>;
@group(0) @binding(4) var<storage, read_write> attended: array<vec4f>;

override L: u32;
override H: u32;
override HEAD_DIM: u32;
override WORKGROUP: u32 = 32;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let query = range[0] + id.x;
  if (query >= range[1]) {
    return;
  }
  let head = id.y;
  let batch = range[2] + id.z;
  let blocks = HEAD_DIM / 4;
  let d = H * blocks;
  let q_at = (batch * L + query) * 3 * d + head * blocks;
  let k_at = batch * L * 3 * d + d + head * blocks;
  let v_at = k_at + d;
  let visible = (batch * L + query) * L;
  let row = ((batch * H + head) * L + query) * L;

  var q: array<vec4f, 16>;
  let scale = 1 / sqrt(f32(HEAD_DIM));
  for (var c = 0u; c < blocks; c++) {
    q[c] = qkv[q_at + c] * scale;
  }
  var largest = -3.4e38;
  for (var j = 0u; j < L; j++) {
    if (mask[visible + j] == 0) {
      continue;
    }
    var score = 0f;
    for (var c = 0u; c < blocks; c++) {
      score += dot(q[c], qkv[k_at + j * 3 * d + c]);
    }
    probabilities[row + j] = score;
    largest = max(largest, score);
  }
  var sum = 0f;
  for (var j = 0u; j < L; j++) {
    var e = 0f;
    if (mask[visible + j] != 0) {
      e = exp(probabilities[row + j] - largest);
    }
    probabilities[row + j] = e;
    sum += e;
  }
  let normaliser = select(0, 1 / sum, sum > 0);
  var o: array<vec4f, 16>;
  for (var j = 0u; j < L; j++) {
    let p = probabilities[row + j] * normaliser;
    probabilities[row + j] = p;
    if (p == 0) {
      continue;
    }
    for (var c = 0u; c < blocks; c++) {
      o[c] += p * qkv[v_at + j * 3 * d + c];
    }
  }
  let o_at = (batch * L + query) * d + head * blocks;
  for (var c = 0u; c < blocks; c++) {
    attended[o_at + c] = o[c];
  }
}
