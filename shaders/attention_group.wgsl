// Masked softmax attention (eq. 32 to 34), for GPUs. Needs: heads.wgsl, which has the bindings.
// grid: x over the queries of the range, four a workgroup, y over heads, z over the passes to do. HEAD_DIM is at most WORKGROUP.
// A workgroup computes four queries, because a GPU has more invocations than there are queries. First each invocation scores one
// key for all four queries; then it sums four dimensions of one query over every PARTS-th key. Each invocation finds the largest
// score and the sum by itself, which costs less than another barrier.
override WORKGROUP: u32 = 128;

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
  let start = place_of(0, head, batch);
  // Queries past the end repeat the last one.
  let queries = min(vec4u(first, first + 1, first + 2, first + 3), vec4u(last));

  let scale = 1 / sqrt(f32(HEAD_DIM));
  let q_row = start.q + queries * 3 * d;
  let visible = start.visible + queries * L;
  for (var j = index; j < L; j += WORKGROUP) {
    var score = vec4f();
    for (var c = 0u; c < blocks; c++) {
      let k = qkv[start.k + j * 3 * d + c];
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
  let own = place_of(query, head, batch);
  var o = vec4f();
  if (part < parts) {
    for (var j = part; j < L; j += parts) {
      let score = scores[j][r];
      let p = select(exp(score - largest) * normaliser, 0, score == masked);
      if (j / parts % blocks == c) {
        probabilities[own.probabilities + j] = p;
      }
      // A masked key may hold anything, and 0 times it may not be 0.
      if (p != 0) {
        o += p * qkv[start.v + j * 3 * d + c];
      }
    }
  }
  partial[index] = o;
  workgroupBarrier();
  if (part == 0 && first + r <= last) {
    for (var other = 1u; other < parts; other++) {
      o += partial[index + other * HEAD_DIM];
    }
    attended[own.attended + c] = o;
  }
}
