// What attention.wgsl computes (eq. 32 to 34), for GPUs: an invocation there does a query alone, and a GPU has more of them than queries.
// binding 0  qkv           [B, L, 3, H, HEAD_DIM]  f32
// binding 1  mask          [B, L, L]               u32, 1 where query i may look at key j
// binding 2  range         [3]                     u32, the first query to do, the one to stop before, and the first b
// binding 3  probabilities [B, H, L, L]            f32
// binding 4  attended      [B, L, H, HEAD_DIM]     f32
// grid: x over the queries of the range, four a workgroup, y over heads, z over the passes to do.
// HEAD_DIM is a multiple of 4, at most WORKGROUP. First an invocation does a key for all four queries, then four dimensions
// of one query for every PARTS-th key; each finds the largest score and the sum itself, which costs less than to wait for it.
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> mask: array<u32>;
@group(0) @binding(2) var<storage, read> range: array<u32>;
@group(0) @binding(3) var<storage, read_write> probabilities: array<f32>;
@group(0) @binding(4) var<storage, read_write> attended: array<vec4f>;

override L: u32;
override H: u32;
override HEAD_DIM: u32;
override WORKGROUP: u32 = 128;
const masked = -3.4e38;

var<workgroup> scores: array<vec4f, L>;
var<workgroup> partial: array<vec4f, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let last = range[1] - 1;
  let first = range[0] + group.x * 4;
  let head = group.y;
  let batch = range[2] + group.z;
  let blocks = HEAD_DIM / 4;
  let d = H * blocks;
  let q_at = batch * L * 3 * d + head * blocks;
  let k_at = q_at + d;
  let v_at = k_at + d;
  // Queries past the end repeat the last one.
  let queries = min(vec4u(first, first + 1, first + 2, first + 3), vec4u(last));

  let scale = 1 / sqrt(f32(HEAD_DIM));
  let q_row = q_at + queries * 3 * d;
  let visible = (batch * L + queries) * L;
  for (var j = index; j < L; j += WORKGROUP) {
    var score = vec4f();
    for (var c = 0u; c < blocks; c++) {
      let k = qkv[k_at + j * 3 * d + c];
      score += vec4f(dot(qkv[q_row.x + c], k), dot(qkv[q_row.y + c], k), dot(qkv[q_row.z + c], k), dot(qkv[q_row.w + c], k));
    }
    let sees = vec4u(mask[visible.x + j], mask[visible.y + j], mask[visible.z + j], mask[visible.w + j]);
    scores[j] = select(score * scale, vec4f(masked), sees == vec4u());
  }
  workgroupBarrier();

  let part = index / HEAD_DIM;
  let parts = WORKGROUP / HEAD_DIM;
  let r = index % HEAD_DIM / blocks;
  let c = index % blocks;
  let query = min(first + r, last);
  var largest = masked;
  for (var j = 0u; j < L; j++) {
    largest = max(largest, scores[j][r]);
  }
  var sum = 0f;
  for (var j = 0u; j < L; j++) {
    let score = scores[j][r];
    sum += select(exp(score - largest), 0, score == masked);
  }
  let normaliser = select(0, 1 / sum, sum > 0);
  let row = ((batch * H + head) * L + query) * L;
  var o = vec4f();
  if (part < parts) {
    for (var j = part; j < L; j += parts) {
      let score = scores[j][r];
      let p = select(exp(score - largest) * normaliser, 0, score == masked);
      if (j / parts % blocks == c) {
        probabilities[row + j] = p;
      }
      // A masked key may hold anything, and 0 times it may not be 0.
      if (p != 0) {
        o += p * qkv[v_at + j * 3 * d + c];
      }
    }
  }
  partial[index] = o;
  workgroupBarrier();
  if (part == 0 && first + r <= last) {
    for (var other = 1u; other < parts; other++) {
      o += partial[index + other * HEAD_DIM];
    }
    attended[(batch * L + query) * d + head * blocks + c] = o;
  }
}
