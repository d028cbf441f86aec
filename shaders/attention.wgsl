// Masked softmax attention (eq. 32 to 34), for every adapter. Needs: heads.wgsl, which has the bindings.
// grid: x over the queries of the range, y over heads, z over the passes to do. HEAD_DIM is at most 64.
// One invocation computes one query. Its row of probabilities first holds the scores; masked scores are never computed.
override WORKGROUP: u32 = 32;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let query = range[0] + id.x;
  if (query >= range[1]) {
    return;
  }
  let blocks = HEAD_DIM / 4;
  let d = H * blocks;
  let at = place_of(query, id.y, range[2] + id.z);
  let row = at.probabilities;

  var q: array<vec4f, 16>;
  let scale = 1 / sqrt(f32(HEAD_DIM));
  for (var c = 0u; c < blocks; c++) {
    q[c] = qkv[at.q + c] * scale;
  }
  var largest = masked;
  for (var j = 0u; j < L; j++) {
    if (mask[at.visible + j] == 0) {
      continue;
    }
    var score = 0f;
    for (var c = 0u; c < blocks; c++) {
      score += dot(q[c], qkv[at.k + j * 3 * d + c]);
    }
    probabilities[row + j] = score;
    largest = max(largest, score);
  }
  var sum = 0f;
  for (var j = 0u; j < L; j++) {
    var e = 0f;
    if (mask[at.visible + j] != 0) {
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
      o[c] += p * qkv[at.v + j * 3 * d + c];
    }
  }
  for (var c = 0u; c < blocks; c++) {
    attended[at.attended + c] = o[c];
  }
}
