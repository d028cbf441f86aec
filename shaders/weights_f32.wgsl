// Prepended to kernels that read stored weights: four consecutive float32 elements.
alias WeightBlock = vec4f;

fn weights4(block: WeightBlock) -> vec4f {
  return block;
}
