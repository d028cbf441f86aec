// Softmax attention of pixels to the rows of their own prompt (eq. 32 to 34), each head by itself, with its probabilities:
//   s[i, j] = q[i] · k[j] / √HEAD_DIM,   p[i, :] = softmax of s[i, :],   o[i] = Σ_j p[i, j] v[j]
// Picture b has P pixels, and T_b = places[b].y rows of prompt, the first of which is places[b].x. H is h, HEAD_DIM a multiple of 4, at most
// 64. ROOM is the number of probabilities that there is room for in each picture.
// binding 0  queries        [B, P, h, dh]       f32
// binding 1  key_values     [rows, 2, h, dh]    f32, the rows of all prompts
// binding 2  places         [B, 2]              u32
// binding 3  probabilities  [B, ROOM]           f32, each picture's begin with its [h, P, T_b]
// binding 4  attended       [B, P, h, dh]       f32
// grid: x over pixels, y over heads, z over pictures. One invocation computes one query; its row of probabilities first holds the
// scores. The largest score is taken away before exp, which then cannot overflow.
@group(0) @binding(0) var<storage, read> queries: array<vec4f>;
@group(0) @binding(1) var<storage, read> key_values: array<vec4f>;
@group(0) @binding(2) var<storage, read> places: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> probabilities: array<f32>;
@group(0) @binding(4) var<storage, read_write> attended: array<vec4f>;

override P: u32;
override H: u32;
override HEAD_DIM: u32;
override ROOM: u32;
override WORKGROUP: u32 = 32;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= P) {
    return;
  }
  let blocks = HEAD_DIM / 4;
  let d = H * blocks;
  let first = places[id.z].x;
  let count = places[id.z].y;
  let at = (id.z * P + id.x) * d + id.y * blocks;
  let keys = first * 2 * d + id.y * blocks;
  let row = id.z * ROOM + (id.y * P + id.x) * count;

  var q: array<vec4f, 16>;
  let scale = 1 / sqrt(f32(HEAD_DIM));
  for (var c = 0u; c < blocks; c++) {
    q[c] = queries[at + c] * scale;
  }
  var largest = -3.4e38;
  for (var j = 0u; j < count; j++) {
    var score = 0f;
    for (var c = 0u; c < blocks; c++) {
      score += dot(q[c], key_values[keys + j * 2 * d + c]);
    }
    probabilities[row + j] = score;
    largest = max(largest, score);
  }
  var sum = 0f;
  for (var j = 0u; j < count; j++) {
    let e = exp(probabilities[row + j] - largest);
    probabilities[row + j] = e;
    sum += e;
  }
  var o: array<vec4f, 16>;
  for (var j = 0u; j < count; j++) {
    let p = probabilities[row + j] / sum;
    probabilities[row + j] = p;
    for (var c = 0u; c < blocks; c++) {
      o[c] += p * key_values[keys + d + j * 2 * d + c];
    }
  }
  for (var c = 0u; c < blocks; c++) {
    attended[at + c] = o[c];
  }
}
