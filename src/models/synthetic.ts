import { type ClipTextConfig, clipVitL14 } from '../clip/config.ts';
import { expectedTensors, finalLayerNormBiasName, type WeightSource } from '../clip/weights.ts';
import { fromFloat32, type WeightDtype } from '../files/dtypes.ts';
import { elementCount } from '../files/tensorFile.ts';

const globalSeed = 1;

/** 32-bit FNV-1a of a tensor's name (ASCII). */
function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/**
 * Returns [count] uniform float32 with mean `offset` and standard deviation `std`. Each element is a hash of seed +
 * index, so any can be made alone.
 */
function uniform(seed: number, count: number, std: number, offset: number): Float32Array<ArrayBuffer> {
  const scale = Math.fround(Math.sqrt(3) * std);
  const centre = Math.fround(offset);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let x = (i + seed) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    x ^= x >>> 16;
    out[i] = centre + Math.fround(((x >>> 8) * 2 ** -23 - 1) * scale);
  }
  return out;
}

/**
 * Returns standard deviation and mean of a tensor: wide enough that attention is far from uniform, narrow enough that
 * no value overflows.
 */
function distribution(name: string, shape: readonly number[]): { std: number; mean: number } {
  if (name.endsWith('token_embedding.weight')) return { std: 0.02, mean: 0 };
  if (name.endsWith('position_embedding.weight')) return { std: 0.01, mean: 0 };
  if (name === finalLayerNormBiasName) return { std: 0.05, mean: -0.1 };
  if (name.includes('layer_norm')) return { std: 0.05, mean: name.endsWith('.weight') ? 1 : 0 };
  if (name.endsWith('.bias')) return { std: 0.01, mean: 0 };
  const fanIn = shape[1];
  return { std: /[qk]_proj\.weight$/.test(name) ? Math.sqrt(2.5 / fanIn) : 1 / Math.sqrt(fanIn), mean: 0 };
}

/**
 * Makes weights of the right shapes, the same on every machine to the bit: value i of a tensor is a hash of i + seed,
 * where seed is the hash of the tensor's name. They mean nothing; they stand in for a checkpoint in tests and before
 * one is opened.
 */
export function syntheticWeights(
  config: ClipTextConfig,
  options: { readonly name?: string; readonly dtype?: WeightDtype } = {},
): WeightSource {
  const { dtype = 'F32', name = config.hiddenSize === clipVitL14.hiddenSize ? 'synthetic' : 'synthetic-tiny' } =
    options;
  const shapes = expectedTensors(config);
  const shapeOf = (tensor: string): readonly number[] => {
    const shape = shapes.get(tensor);
    if (!shape) throw new RangeError(`The synthetic encoder has no tensor "${tensor}".`);
    return shape;
  };
  return {
    name,
    random: true,
    config,
    tensor: (tensor) => ({ dtype, shape: shapeOf(tensor) }),
    async read(tensor, signal) {
      signal?.throwIfAborted();
      const shape = shapeOf(tensor);
      const { std, mean } = distribution(tensor, shape);
      const seed = (fnv1a32(tensor) ^ globalSeed) >>> 0;
      const count = elementCount(shape);
      return fromFloat32(uniform(seed, count, std, mean), dtype);
    },
  };
}
