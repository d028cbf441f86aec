// Prepended to kernels that read stored weights: four consecutive bfloat16, each the upper half of a float32.
alias WeightBlock = vec2u;

fn weights4(block: WeightBlock) -> vec4f {
  return bitcast<vec4f>(vec4u(block.x << 16u, block.x & 0xffff0000u, block.y << 16u, block.y & 0xffff0000u));
}
