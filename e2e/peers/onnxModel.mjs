// An ONNX file is a protocol buffer. Only the parts that an encoder needs are here: github.com/onnx/onnx,
// onnx/onnx.proto.
import { clipVitL14 } from '../../src/clip/config.ts';
import { clipText } from './clipText.mjs';
import { causalBias, readWeights } from './inputs.mjs';

const { maxPositionEmbeddings: L, hiddenSize: d, numAttentionHeads: h, headDim, layerNormEps } = clipVitL14;
const type = { float: 1, int64: 7 };

function varint(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
}

/** Writes one field: a number as varint, anything else (text, bytes, a message) with its length before it. */
function field(number, value) {
  if (typeof value === 'number') return [...varint(number * 8), ...varint(value)];
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  return [...varint(number * 8 + 2), ...varint(bytes.length), ...bytes];
}

const float32 = (value) => new Uint8Array(Float32Array.of(value).buffer);
const message = (...fields) => fields.flat();
const bytesOf = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

const attribute = {
  int: (name, value) => message(field(1, name), field(3, value), field(20, 2)),
  ints: (name, values) => message(field(1, name), ...values.map((value) => field(8, value)), field(20, 7)),
  float: (name, value) => message(field(1, name), varint(2 * 8 + 5), [...float32(value)], field(20, 1)),
};

const dims = (shape) => shape.map((size) => field(1, size));

function valueInfo(name, shape) {
  const tensorShape = message(...shape.map((size) => field(1, message(field(1, size)))));
  return message(field(1, name), field(2, field(1, message(field(1, type.float), field(2, tensorShape)))));
}

/**
 * The encoder as ONNX, opset 17: input `x` [1, L, d], output `y` [1, L, d]. The weights stay outside, in `data`, which the
 * model knows as the file "weights".
 * @param {import('../../src/clip/weights.ts').WeightSource} source
 * @returns {Promise<{ model: Uint8Array, data: Uint8Array }>}
 */
export async function onnxModel(source) {
  const weights = await readWeights(source, 'in-out');
  const nodes = [];
  const initialisers = [];

  const data = new Uint8Array([...weights.values()].reduce((sum, weight) => sum + weight.data.byteLength, 0));
  let at = 0;
  for (const [name, weight] of weights) {
    const external = Object.entries({ location: 'weights', offset: at, length: weight.data.byteLength });
    initialisers.push(
      message(
        ...dims(weight.shape),
        field(2, type.float),
        field(8, name),
        ...external.map(([key, value]) => field(13, message(field(1, key), field(2, String(value))))),
        field(14, 1),
      ),
    );
    data.set(bytesOf(weight.data), at);
    at += weight.data.byteLength;
  }
  function constant(name, array, shape, dataType = type.float) {
    initialisers.push(message(...dims(shape), field(2, dataType), field(8, name), field(9, bytesOf(array))));
    return name;
  }
  const scale = constant('scale', Float32Array.of(headDim ** -0.5), []);
  const slope = constant('slope', Float32Array.of(1.702), []);
  const mask = constant('mask', causalBias(L), [1, 1, L, L]);
  const apart = constant('apart', BigInt64Array.of(1n, BigInt(L), BigInt(h), BigInt(headDim)), [4], type.int64);
  const together = constant('together', BigInt64Array.of(1n, BigInt(L), BigInt(d)), [3], type.int64);

  function node(operator, inputs, attributes = [], output = `${operator}${nodes.length}`) {
    nodes.push(
      message(
        ...inputs.map((input) => field(1, input)),
        field(2, output),
        field(3, output),
        field(4, operator),
        ...attributes.map((value) => field(5, value)),
      ),
    );
    return output;
  }
  const transpose = (x, order) => node('Transpose', [x], [attribute.ints('perm', order)]);
  const heads = (x, order) => transpose(node('Reshape', [x, apart]), order);
  const y = clipText('x', source.config.numHiddenLayers, {
    layerNorm: (x, name) =>
      node(
        'LayerNormalization',
        [x, `${name}.weight`, `${name}.bias`],
        [attribute.int('axis', 2), attribute.float('epsilon', layerNormEps)],
      ),
    linear: (x, name) => node('Add', [node('MatMul', [x, `${name}.weight`]), `${name}.bias`]),
    attention(q, k, v) {
      const scores = node('MatMul', [heads(node('Mul', [q, scale]), [0, 2, 1, 3]), heads(k, [0, 2, 3, 1])]);
      const probabilities = node('Softmax', [node('Add', [scores, mask])], [attribute.int('axis', 3)]);
      const output = node('MatMul', [probabilities, heads(v, [0, 2, 1, 3])]);
      return node('Reshape', [transpose(output, [0, 2, 1, 3]), together]);
    },
    quickGelu: (x) => node('Mul', [x, node('Sigmoid', [node('Mul', [x, slope])])]),
    add: (a, b) => node('Add', [a, b]),
  });
  node('Identity', [y], [], 'y');

  const graph = message(
    ...nodes.map((value) => field(1, value)),
    field(2, 'clip-text'),
    ...initialisers.map((value) => field(5, value)),
    field(11, valueInfo('x', [1, L, d])),
    field(12, valueInfo('y', [1, L, d])),
  );
  const model = message(field(1, 8), field(7, graph), field(8, message(field(1, ''), field(2, 17))));
  return { model: Uint8Array.from(model), data };
}
