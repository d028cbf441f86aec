// Prepended to kernels that read stored weights: four consecutive IEEE halves, read on every device without `shader-f16`.
alias WeightBlock = vec2u;

fn weights4(block: WeightBlock) -> vec4f {
  return vec4f(unpack2x16float(block.x), unpack2x16float(block.y));
}
