import {
  finalLayerNormBiasName,
  finalLayerNormWeightName,
  tokenEmbeddingName,
  type WeightSource,
} from '../clip/weights.ts';
import { float32View, fromFloat32, toFloat32, type WeightDtype, weightBytes } from '../files/dtypes.ts';
import { elementCount } from '../files/tensorFile.ts';
import type { Schedule, TensorSpec } from './schedule.ts';

/** A weight of the schedule, and the type in which the engine holds its numbers. */
export interface WeightSpec extends TensorSpec {
  readonly dtype: WeightDtype;
}

/** The schedule's weights in the order in which they are used. A matrix whose parts differ in type becomes float32. */
export function weightSpecs(source: WeightSource, { tensors }: Schedule): Map<string, WeightSpec> {
  const specs = new Map<string, WeightSpec>();
  for (const [name, spec] of tensors) {
    if (spec.role !== 'weight') continue;
    const dtypes = new Set(spec.from.map((tensor) => source.tensor(tensor).dtype));
    specs.set(name, { ...spec, dtype: spec.kind === 'matrix' && dtypes.size === 1 ? [...dtypes][0] : 'F32' });
  }
  return specs;
}

/** Finds a tensor of the model among the weights: the weight that contains it, and which of its `parts` equal parts it is. */
export function findTensor<Weight extends WeightSpec>(weights: ReadonlyMap<string, Weight>, tensor: string) {
  for (const [name, weight] of weights) {
    const part = weight.from.indexOf(tensor);
    if (part >= 0) return { name, weight, part, parts: weight.from.length };
  }
  throw new Error(`The encoder has no weight "${tensor}".`);
}

/** Bytes of tensors that are asked for together: neighbours in a file are then read in one piece. */
const batchBytes = 1 << 24;

/** Returns a function that gives the next tensor of `names` at each call. It reads one batch ahead of its caller. */
function readAhead(
  source: WeightSource,
  names: readonly string[],
  bytesOf: (name: string) => number,
  signal?: AbortSignal,
) {
  const batches: Promise<Uint8Array<ArrayBuffer>>[][] = [];
  let begun = 0;
  return (): Promise<Uint8Array<ArrayBuffer>> => {
    while (batches.length < 2 && begun < names.length) {
      const batch: Promise<Uint8Array<ArrayBuffer>>[] = [];
      for (let bytes = 0; begun < names.length && bytes < batchBytes; begun++) {
        bytes += bytesOf(names[begun]);
        const read = source.read(names[begun], signal);
        // Avoids an unhandled rejection: the caller sees the error when it awaits this tensor.
        read.catch(() => {});
        batch.push(read);
      }
      batches.push(batch);
    }
    const read = batches[0].shift()!;
    if (batches[0].length === 0) batches.shift();
    return read;
  };
}

/** Parts that may be on their way through other threads: what is read before they come back needs memory of its own. */
const mostAwaited = 12;

/** Everything of the weights that stays outside the backend. */
export interface ReadWeights {
  /** [V, d] as stored. Rows are gathered from it, since it is too large to be bound on a GPU. */
  readonly tokenTable: Uint8Array<ArrayBuffer>;
  /** [d] each. */
  readonly finalLayerNorm: { readonly weight: Float32Array; readonly bias: Float32Array };
}

/**
 * Reads an encoder's weights in the order of `specs`. `place` is called once for each weight, and the function that it returns
 * takes the weight's parts, in order and in the weight's type; it gives a part back when nobody needs it any more, or keeps it.
 * `onProgress` hears of bytes. Rejects with what `source.read`
 * throws, or with the signal's reason.
 */
export async function readWeights(
  source: WeightSource,
  specs: ReadonlyMap<string, WeightSpec>,
  place: (
    name: string,
    spec: WeightSpec,
  ) => (
    part: number,
    data: Uint8Array<ArrayBuffer>,
  ) => Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> | undefined,
  onProgress: (done: number, total: number) => void,
  signal?: AbortSignal,
): Promise<ReadWeights> {
  const bytesOf = (name: string) => {
    const { dtype, shape } = source.tensor(name);
    return elementCount(shape) * weightBytes[dtype];
  };
  const names = [tokenEmbeddingName, ...[...specs.values()].flatMap(({ from }) => from)];
  const total = names.reduce((sum, name) => sum + bytesOf(name), 0);
  const take = readAhead(source, names, bytesOf, signal);
  let done = 0;
  const read = async () => {
    const bytes = await take();
    done += bytes.length;
    onProgress(done, total);
    return bytes;
  };
  const finalLayerNorm = { weight: new Float32Array(0), bias: new Float32Array(0) };
  const tokenTable = await read();
  const awaited: Promise<void>[] = [];
  for (const [name, spec] of specs) {
    const write = place(name, spec);
    for (const [part, tensor] of spec.from.entries()) {
      const stored = source.tensor(tensor).dtype;
      const bytes = await read();
      const data = stored === spec.dtype ? bytes : fromFloat32(toFloat32(bytes, stored), spec.dtype);
      const left = write(part, data);
      // Memory of vectors is not worth reading into again, and those of the final LayerNorm are kept.
      const isReused = spec.kind === 'matrix';
      // A failure is told by what needs the weight.
      const given = left && Promise.resolve(left).then(isReused ? source.recycle : () => {}, () => {});
      if (isReused && given) awaited.push(given);
      if (awaited.length > mostAwaited) await awaited.shift();
      if (tensor === finalLayerNormWeightName) finalLayerNorm.weight = float32View(data);
      if (tensor === finalLayerNormBiasName) finalLayerNorm.bias = float32View(data);
    }
  }
  return { tokenTable, finalLayerNorm };
}
