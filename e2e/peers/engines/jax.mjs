import { defaultDevice, init, jit, nn, numpy as np, tree } from '@jax-js/jax';
import { clipVitL14 } from '../../../src/clip/config.ts';
import { clipText } from '../clipText.mjs';
import { readWeights } from '../inputs.mjs';

const { maxPositionEmbeddings: L, hiddenSize: d, numAttentionHeads: h, headDim, layerNormEps } = clipVitL14;

export async function prepare(source) {
  return { layers: source.config.numHiddenLayers, weights: await readWeights(source, 'in-out') };
}

export async function load({ layers, weights }, { backend }) {
  if (!(await init(backend)).includes(backend)) throw new Error(`jax-js has no ${backend} device here.`);
  defaultDevice(backend);
  const parameters = {};
  for (const [name, { data, shape }] of weights) parameters[name] = np.array(data).reshape([...shape]);

  // A function frees the arrays it takes; `ref` keeps one for a next use.
  const encode = jit((w, x) => {
    const ops = {
      layerNorm(x, name) {
        const normalised = nn.standardize(x.ref, -1, { epsilon: layerNormEps });
        return normalised.mul(w[`${name}.weight`]).add(w[`${name}.bias`]);
      },
      linear: (x, name) => np.matmul(x.ref, w[`${name}.weight`]).add(w[`${name}.bias`]),
      attention(q, k, v) {
        const heads = (x) => x.reshape([L, h, headDim]);
        return nn.dotProductAttention(heads(q), heads(k), heads(v), { isCausal: true }).reshape([L, d]);
      },
      quickGelu: (x) => x.ref.mul(nn.sigmoid(x.mul(1.702))),
      add: (a, b) => a.add(b),
    };
    return clipText(x, layers, ops);
  });
  return { pass: async ({ rows }) => encode(tree.ref(parameters), np.array(rows).reshape([L, d])).data() };
}
