// Masked softmax attention (eq. 32 to 34), for adapters with subgroups. Needs: heads.wgsl, which has the bindings.
// grid: x over the queries of the range, y over heads, z over the passes to do. HEAD_DIM is at most 64.
// One invocation computes one query, four keys at a time: each of four lanes loads one key and gives it to the other three.
// Keys that no query of a subgroup sees are skipped, so subgroups may branch differently.
/** A multiple of 4. */
override WORKGROUP: u32 = 8;

fn unnormalised(score: f32, largest: f32) -> f32 {
  return select(exp(score - largest), 0, score == masked);
}

fn put(row: u32, key: vec4u, values: vec4f) {
  probabilities[row + key.x] = values.x;
  probabilities[row + key.y] = values.y;
  probabilities[row + key.z] = values.z;
  probabilities[row + key.w] = values.w;
}

@compute @workgroup_size(WORKGROUP) @diagnostic(off, subgroup_uniformity)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) index: u32) {
  // Invocations past the end load as if for the last query, for the other lanes of their quad, and store nothing.
  let is_past = range[0] + id.x >= range[1];
  let query = min(range[0] + id.x, range[1] - 1);
  let lane = index % 4;
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
  // One past the last key that some query of the subgroup sees, rounded up to four.
  var end = 0u;
  for (var j = 0u; j < L; j += 4) {
    let key = keys_from(j);
    let sees = vec4u(mask[at.visible + key.x], mask[at.visible + key.y], mask[at.visible + key.z], mask[at.visible + key.w]) != vec4u();
    var score = vec4f();
    if (subgroupAny(any(sees))) {
      end = j + 4;
      let k = at.k + key[lane] * 3 * d;
      for (var c = 0u; c < blocks; c++) {
        score += q[c] * of_quad(qkv[k + c]);
      }
    }
    score = select(vec4f(masked), score, sees);
    largest = max(largest, max(max(score.x, score.y), max(score.z, score.w)));
    if (!is_past) {
      put(row, key, score);
    }
  }
  end = min(end, L);
  var sum = 0f;
  for (var j = 0u; j < end; j++) {
    sum += unnormalised(probabilities[row + j], largest);
  }
  let normaliser = select(0, 1 / sum, sum > 0);
  var o: array<vec4f, 16>;
  for (var j = 0u; j < L; j += 4) {
    let key = keys_from(j);
    var p = vec4f();
    if (j < end) {
      p = normaliser * vec4f(
        unnormalised(probabilities[row + key.x], largest), unnormalised(probabilities[row + key.y], largest),
        unnormalised(probabilities[row + key.z], largest), unnormalised(probabilities[row + key.w], largest));
    }
    if (!is_past) {
      put(row, key, p);
    }
    // A key that is repeated past the end counts once.
    let weight = select(p, vec4f(), vec4u(j, j + 1, j + 2, j + 3) > key);
    let counts = weight != vec4f();
    if (!subgroupAny(any(counts))) {
      continue;
    }
    let v = at.v + key[lane] * 3 * d;
    for (var c = 0u; c < blocks; c++) {
      let values = of_quad(qkv[v + c]);
      // Masked keys may hold anything, and 0 times it may not be 0.
      o[c] += weight.x * select(vec4f(), values[0], counts.x) + weight.y * select(vec4f(), values[1], counts.y)
        + weight.z * select(vec4f(), values[2], counts.z) + weight.w * select(vec4f(), values[3], counts.w);
    }
  }
  if (is_past) {
    return;
  }
  for (var c = 0u; c < blocks; c++) {
    attended[at.attended + c] = o[c];
  }
}

/** Four keys; past the end the last one again. */
fn keys_from(j: u32) -> vec4u {
  return min(vec4u(j, j + 1, j + 2, j + 3), vec4u(L - 1));
}

@diagnostic(off, subgroup_uniformity)
fn of_quad(own: vec4f) -> mat4x4f {
  return mat4x4f(quadBroadcast(own, 0u), quadBroadcast(own, 1u), quadBroadcast(own, 2u), quadBroadcast(own, 3u));
}
