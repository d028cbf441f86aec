// Bindings and indices that the attention kernels share: masked softmax attention of every head (eq. 28, 29, 32 to 34), with its
// probabilities:
//   s[i, j] = q[i] · k[j] / √HEAD_DIM,   p[i, :] = softmax of s[i, j] over the j with mask[i, j] = 1, 0 elsewhere,
//   o[i] = Σ_j p[i, j] v[j],             the heads side by side in o.
// Letters are those of config.ts; H is h, and HEAD_DIM, a multiple of 4, is dh.
// binding 0  qkv           [B, L, 3, h, dh]  f32
// binding 1  mask          [B, L, L]         u32, 1 where query i may look at key j
// binding 2  range         [3]               u32, the first query to do, the one to stop before, and the first b
// binding 3  probabilities [B, h, L, L]      f32
// binding 4  attended      [B, L, h, dh]     f32
// Nothing passes through infinity, and masked probabilities are exact zeros; a query that may look
// at nothing gets a row of zeros.
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> mask: array<u32>;
@group(0) @binding(2) var<storage, read> range: array<u32>;
@group(0) @binding(3) var<storage, read_write> probabilities: array<f32>;
@group(0) @binding(4) var<storage, read_write> attended: array<vec4f>;

override L: u32;
override H: u32;
override HEAD_DIM: u32;

/** Score that stands for a masked key: lower than any other. */
const masked = -3.4e38;

/** Indices of one query of one head in each binding; `k` and `v` are those of the first key and value. */
struct Place {
  q: u32,
  k: u32,
  v: u32,
  visible: u32,
  probabilities: u32,
  attended: u32,
}

fn place_of(query: u32, head: u32, batch: u32) -> Place {
  let blocks = HEAD_DIM / 4;
  let d = H * blocks;
  let token = batch * L + query;
  let k = batch * L * 3 * d + d + head * blocks;
  return Place(token * 3 * d + head * blocks, k, k + d, token * L, ((batch * H + head) * L + query) * L, token * d + head * blocks);
}
