/**
 * The encoder, once, over whatever an engine's tensors are. `name` is the name of a linear layer or LayerNorm, to which
 * `.weight` and `.bias` are added; tensors are [L, d] or [1, L, d], as the engine likes.
 *
 * @template Tensor
 * @typedef {object} Ops
 * @property {(x: Tensor, name: string) => Tensor} layerNorm
 * @property {(x: Tensor, name: string) => Tensor} linear x Wᵀ + b
 * @property {(q: Tensor, k: Tensor, v: Tensor) => Tensor} attention causal, all heads, side by side again in the result
 * @property {(x: Tensor) => Tensor} quickGelu
 * @property {(a: Tensor, b: Tensor) => Tensor} add
 */

/**
 * Token embeddings + positions → lastHiddenState.
 * @template Tensor
 * @param {Tensor} x
 * @param {number} layers
 * @param {Ops<Tensor>} ops
 * @returns {Tensor}
 */
export function clipText(x, layers, { layerNorm, linear, attention, quickGelu, add }) {
  for (let layer = 0; layer < layers; layer++) {
    const name = (part) => `text_model.encoder.layers.${layer}.${part}`;
    const u = layerNorm(x, name('layer_norm1'));
    const [q, k, v] = ['q', 'k', 'v'].map((which) => linear(u, name(`self_attn.${which}_proj`)));
    x = add(x, linear(attention(q, k, v), name('self_attn.out_proj')));
    const g = quickGelu(linear(layerNorm(x, name('layer_norm2')), name('mlp.fc1')));
    x = add(x, linear(g, name('mlp.fc2')));
  }
  return layerNorm(x, 'text_model.final_layer_norm');
}
