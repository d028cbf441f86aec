// A .tflite file is a FlatBuffer: github.com/google-ai-edge/LiteRT, tflite/schema/schema.fbs. Numbers below are slots of its
// tables and values of its enums.
import { Builder } from 'flatbuffers';
import { clipVitL14 } from '../../src/clip/config.ts';
import { clipText } from './clipText.mjs';
import { causalBias, readWeights } from './inputs.mjs';

const { maxPositionEmbeddings: L, hiddenSize: d, numAttentionHeads: h, headDim, layerNormEps } = clipVitL14;
const type = { float32: 0, int32: 2 };

/** Operator → its code, the version used, and the member of the union of options that belongs to it (0: none). */
const operators = {
  ADD: { code: 0, version: 1, options: 11 },
  FULLY_CONNECTED: { code: 9, version: 5, options: 8 },
  LOGISTIC: { code: 14, version: 1, options: 0 },
  MUL: { code: 18, version: 1, options: 21 },
  RESHAPE: { code: 22, version: 1, options: 17 },
  SOFTMAX: { code: 25, version: 1, options: 9 },
  TRANSPOSE: { code: 39, version: 1, options: 26 },
  MEAN: { code: 40, version: 1, options: 27 },
  SUB: { code: 41, version: 1, options: 28 },
  RSQRT: { code: 76, version: 1, options: 0 },
  SQUARED_DIFFERENCE: { code: 99, version: 1, options: 76 },
  BATCH_MATMUL: { code: 126, version: 1, options: 101 },
};
const operatorNames = Object.keys(operators);

/**
 * The encoder as TFLite: input `x` [1, L, d], output `y` [1, L, d].
 * @param {import('../../src/clip/weights.ts').WeightSource} source
 * @returns {Promise<Uint8Array>}
 */
export async function tfliteModel(source) {
  const weights = await readWeights(source, 'out-in');
  const bytes = [...weights.values()].reduce((sum, { data }) => sum + data.byteLength + 1024, 2 ** 22);
  const builder = new Builder(bytes);

  /** Builds a table of [slot, kind, value]; kinds are named as in the builder. */
  function table(size, fields) {
    builder.startObject(size);
    for (const [slot, kind, value] of fields) builder[`addField${kind}`](slot, value, 0);
    return builder.endObject();
  }
  function vector(values, kind) {
    builder.startVector(4, values.length, 4);
    for (const value of values.toReversed()) builder[`add${kind}`](value);
    return builder.endVector();
  }
  const ints = (values) => vector(values, 'Int32');
  const offsets = (values) => vector(values, 'Offset');

  // Buffer 0 is the empty one, for tensors that are computed.
  const buffers = [table(1, [])];
  const tensors = [];
  const nodes = [];

  function tensor(name, shape, dataType = type.float32, array) {
    let buffer = 0;
    if (array) {
      builder.prep(16, array.byteLength);
      const data = builder.createByteVector(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
      buffer = buffers.push(table(1, [[0, 'Offset', data]])) - 1;
    }
    const fields = [
      [0, 'Offset', ints([...shape])],
      [1, 'Int8', dataType],
      [2, 'Int32', buffer],
      [3, 'Offset', builder.createString(name)],
    ];
    return { shape, index: tensors.push(table(8, fields)) - 1 };
  }
  const constants = new Map();
  function constant(name, shape, array, dataType) {
    if (!constants.has(name)) constants.set(name, tensor(name, shape, dataType, array));
    return constants.get(name);
  }
  const weight = (name) => constant(name, weights.get(name).shape, weights.get(name).data);
  const scalar = (value) => constant(String(value), [1], Float32Array.of(value));
  const order = (...axes) => constant(`order ${axes}`, [axes.length], Int32Array.from(axes), type.int32);

  function node(operator, inputs, shape, options = [], name = `${operator}${nodes.length}`) {
    const output = tensor(name, shape);
    const union = operators[operator].options;
    const fields = [
      [0, 'Int32', operatorNames.indexOf(operator)],
      [1, 'Offset', ints(inputs.map(({ index }) => index))],
      [2, 'Offset', ints([output.index])],
    ];
    if (union) fields.push([3, 'Int8', union], [4, 'Offset', table(5, options)]);
    nodes.push(table(9, fields));
    return output;
  }
  const reshape = (x, shape) =>
    node('RESHAPE', [x, constant(`shape ${shape}`, [shape.length], Int32Array.from(shape), type.int32)], shape, [
      [0, 'Offset', ints(shape)],
    ]);
  const heads = (x) => node('TRANSPOSE', [reshape(x, [1, L, h, headDim]), order(0, 2, 1, 3)], [1, h, L, headDim]);
  const mean = (x) => node('MEAN', [x, order(2)], [1, L, 1], [[0, 'Int8', 1]]);

  const x = tensor('x', [1, L, d]);
  const y = clipText(x, source.config.numHiddenLayers, {
    layerNorm(x, name) {
      const centre = mean(x);
      const variance = mean(node('SQUARED_DIFFERENCE', [x, centre], x.shape));
      const scale = node('RSQRT', [node('ADD', [variance, scalar(layerNormEps)], variance.shape)], variance.shape);
      const normalised = node('MUL', [node('SUB', [x, centre], x.shape), scale], x.shape);
      const scaled = node('MUL', [normalised, weight(`${name}.weight`)], x.shape);
      return node('ADD', [scaled, weight(`${name}.bias`)], x.shape);
    },
    linear(x, name) {
      const matrix = weight(`${name}.weight`);
      const keepDimensions = [[2, 'Int8', 1]];
      return node('FULLY_CONNECTED', [x, matrix, weight(`${name}.bias`)], [1, L, matrix.shape[0]], keepDimensions);
    },
    attention(q, k, v) {
      const all = [1, h, L, L];
      const scaled = node('MUL', [q, scalar(headDim ** -0.5)], q.shape);
      const scores = node('BATCH_MATMUL', [heads(scaled), heads(k)], all, [[1, 'Int8', 1]]);
      const masked = node('ADD', [scores, constant('mask', [1, 1, L, L], causalBias(L))], all);
      const probabilities = node('SOFTMAX', [masked], all, [[0, 'Float32', 1]]);
      const output = node('BATCH_MATMUL', [probabilities, heads(v)], [1, h, L, headDim]);
      return reshape(node('TRANSPOSE', [output, order(0, 2, 1, 3)], [1, L, h, headDim]), [1, L, d]);
    },
    quickGelu(x) {
      const gate = node('LOGISTIC', [node('MUL', [x, scalar(1.702)], x.shape)], x.shape);
      return node('MUL', [x, gate], x.shape);
    },
    add: (a, b) => node('ADD', [a, b], a.shape),
  });

  const codes = operatorNames.map((name) => {
    const { code, version } = operators[name];
    return table(4, [
      [0, 'Int8', code],
      [2, 'Int32', version],
      [3, 'Int32', code],
    ]);
  });
  const graph = table(5, [
    [0, 'Offset', offsets(tensors)],
    [1, 'Offset', ints([x.index])],
    [2, 'Offset', ints([y.index])],
    [3, 'Offset', offsets(nodes)],
  ]);
  const root = table(5, [
    [0, 'Int32', 3],
    [1, 'Offset', offsets(codes)],
    [2, 'Offset', offsets([graph])],
    [4, 'Offset', offsets(buffers)],
  ]);
  builder.finish(root, 'TFL3');
  return builder.asUint8Array();
}
