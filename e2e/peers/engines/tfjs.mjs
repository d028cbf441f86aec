import { clipVitL14 } from '../../../src/clip/config.ts';
import { clipText } from '../clipText.mjs';
import { causalBias, readWeights } from '../inputs.mjs';

const { maxPositionEmbeddings: L, hiddenSize: d, numAttentionHeads: h, headDim, layerNormEps } = clipVitL14;

export async function prepare(source) {
  return { layers: source.config.numHiddenLayers, weights: await readWeights(source, 'in-out') };
}

/** @param tf tfjs-core, with `backend` registered */
export async function loadWith(tf, { layers, weights }, { backend }) {
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs has no ${backend} backend here.`);
  await tf.ready();
  const tensors = new Map();
  for (const [name, { data, shape }] of weights) tensors.set(name, tf.tensor(data, shape));
  const mask = tf.tensor3d(causalBias(L), [1, L, L]);
  const heads = (x) => tf.transpose(tf.reshape(x, [L, h, headDim]), [1, 0, 2]);
  const ops = {
    layerNorm(x, name) {
      const { mean, variance } = tf.moments(x, -1, true);
      const scale = tf.mul(tf.rsqrt(tf.add(variance, layerNormEps)), tensors.get(`${name}.weight`));
      return tf.add(tf.mul(tf.sub(x, mean), scale), tensors.get(`${name}.bias`));
    },
    linear: (x, name) => tf.fused.matMul({ a: x, b: tensors.get(`${name}.weight`), bias: tensors.get(`${name}.bias`) }),
    attention(q, k, v) {
      const scores = tf.matMul(heads(tf.mul(q, headDim ** -0.5)), heads(k), false, true);
      const output = tf.matMul(tf.softmax(tf.add(scores, mask)), heads(v));
      return tf.reshape(tf.transpose(output, [1, 0, 2]), [L, d]);
    },
    quickGelu: (x) => tf.mul(x, tf.sigmoid(tf.mul(x, 1.702))),
    add: (a, b) => tf.add(a, b),
  };
  return {
    async pass({ rows }) {
      const output = tf.tidy(() => clipText(tf.tensor2d(rows, [L, d]), layers, ops));
      const data = await output.data();
      output.dispose();
      return data;
    },
  };
}
