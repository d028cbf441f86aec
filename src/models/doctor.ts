import type { ClipTextConfig } from '../clip/config.ts';
import { expectedTensors, type WeightSource } from '../clip/weights.ts';
import { fromFloat64, readAs, toFloat32 } from '../files/dtypes.ts';
import {
  dtypeBytes,
  elementCount,
  shapeText,
  type TensorDtype,
  type TensorFile,
  unravel,
} from '../files/tensorFile.ts';
import { CheckpointError, encoderConfig, rowsInFile, wholeShape } from './openCheckpoint.ts';
import { describeOtherFile, fileTensor, findLayout, type Layout, layouts } from './tensorNames.ts';
import { hex, sha256 } from './weightsHash.ts';

/** One of the encoder's tensors as it lies in the file. Statistics are of its finite elements, in float64. */
export interface TensorReport {
  /** Hugging Face's name. */
  readonly name: string;
  readonly fileName: string;
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Of the population: √(Σ(x − mean)² / n). */
  readonly std: number;
  readonly zeros: number;
  readonly nonFinite: number;
  /** The first NaN or infinity and where it is. */
  readonly firstNonFinite?: { readonly value: number; readonly index: readonly number[] };
  /** Hexadecimal SHA-256 of the bytes as stored; undefined where the platform has none (a page that is not secure). */
  readonly sha256?: string;
}

/** The ids of positions that some files carry; the encoder here uses 0 to 76 whatever they are. */
export interface PositionIds {
  readonly fileName: string;
  readonly dtype: TensorDtype;
  /** Those that are not their own position. Programs truncate (A1111, diffusers) or round (ComfyUI) what is no integer. */
  readonly wrong: readonly {
    readonly position: number;
    readonly value: number;
    readonly truncated: number;
    readonly rounded: number;
  }[];
  /** Positions that share their truncated id with an earlier one, and so its position embedding. */
  readonly collapsed: readonly { readonly position: number; readonly onto: number }[];
}

export interface Examination {
  readonly layout: Layout;
  readonly config: ClipTextConfig;
  /** Of the whole file. */
  readonly dtypes: ReadonlyMap<TensorDtype, { readonly tensors: number; readonly bytes: number }>;
  /** Names in the file of tensors that the encoder needs and the file lacks. */
  readonly missing: readonly string[];
  /** Names beside the encoder's tensors, under their prefix, that the encoder does not use. */
  readonly extra: readonly string[];
  readonly misshapen: readonly {
    readonly fileName: string;
    readonly shape: readonly number[];
    readonly expected: readonly number[];
  }[];
  /** Stored as what cannot be read as weights. */
  readonly mistyped: readonly { readonly fileName: string; readonly dtype: TensorDtype }[];
  /** In the order of expectedTensors; without those missing, misshapen and mistyped. */
  readonly tensors: readonly TensorReport[];
  readonly positionIds?: PositionIds;
  /**
   * SHA-256 of the tensors' SHA-256 (32 bytes each, in the order of expectedTensors), so that an encoder is known again in
   * a file of another layout. Undefined where a tensor lacks one.
   */
  readonly sha256?: string;
  /** Sentences on what tensors cannot tell. */
  readonly notes: readonly string[];
}

export interface DoctorOptions {
  readonly signal?: AbortSignal;
  /** Bytes. */
  readonly onProgress?: (done: number, total: number) => void;
}

const positionIdsName = 'text_model.embeddings.position_ids';

type Statistics = Pick<TensorReport, 'min' | 'max' | 'mean' | 'std' | 'zeros' | 'nonFinite'> & { first: number };

/** `first`: index of the first element that is not finite, or -1. */
function statistics(values: Float32Array): Statistics {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  let zeros = 0;
  let nonFinite = 0;
  let first = -1;
  for (let i = 0; i < values.length; i++) {
    const x = values[i];
    // NaN for NaN and the infinities, 0 for the rest.
    if (x - x !== 0) {
      if (nonFinite++ === 0) first = i;
      continue;
    }
    if (x < min) min = x;
    if (x > max) max = x;
    if (x === 0) zeros++;
    sum += x;
  }
  const count = values.length - nonFinite;
  const mean = sum / count;
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    const x = values[i];
    if (x - x === 0) squares += (x - mean) * (x - mean);
  }
  return { min, max, mean, std: Math.sqrt(squares / count), zeros, nonFinite, first };
}

/** Elements of any type but float8 and complex as numbers. */
function numbers(bytes: Uint8Array<ArrayBuffer>, dtype: TensorDtype): number[] | undefined {
  const { buffer } = bytes.slice();
  switch (dtype) {
    case 'F32':
    case 'F16':
    case 'BF16':
      return Array.from(toFloat32(bytes, dtype));
    case 'F64':
      return Array.from(new Float64Array(buffer));
    case 'I64':
      return Array.from(new BigInt64Array(buffer), Number);
    case 'U64':
      return Array.from(new BigUint64Array(buffer), Number);
    case 'I32':
      return Array.from(new Int32Array(buffer));
    case 'U32':
      return Array.from(new Uint32Array(buffer));
    case 'I16':
      return Array.from(new Int16Array(buffer));
    case 'U16':
      return Array.from(new Uint16Array(buffer));
    case 'I8':
      return Array.from(new Int8Array(buffer));
    case 'U8':
    case 'BOOL':
      return Array.from(bytes);
    default:
      return undefined;
  }
}

function examineIds(fileName: string, dtype: TensorDtype, values: readonly number[]): PositionIds {
  const wrong: PositionIds['wrong'][number][] = [];
  const collapsed: PositionIds['collapsed'][number][] = [];
  const users = new Map<number, number>();
  for (const [position, value] of values.entries()) {
    const truncated = Math.trunc(value);
    if (value !== position) wrong.push({ position, value, truncated, rounded: Math.round(value) });
    const onto = users.get(truncated);
    if (onto === undefined) users.set(truncated, position);
    else collapsed.push({ position, onto });
  }
  return { fileName, dtype, wrong, collapsed };
}

/**
 * Looks over the text encoder of a tensor file, damaged or not, one tensor in memory at a time. Throws CheckpointError
 * where the file has no CLIP text encoder, or one of another width; the signal's reason; and what `file.source` throws.
 */
export async function examine(file: TensorFile, options: DoctorOptions = {}): Promise<Examination> {
  const { signal, onProgress } = options;
  const fail: (why: string) => never = (why) => {
    throw new CheckpointError(`"${file.source.name}" ${why}.`);
  };
  const layout = findLayout(file.tensors) ?? fail(describeOtherFile(file.tensors));
  const config = encoderConfig(file.tensors, layout, fail);

  const dtypes = new Map<TensorDtype, { tensors: number; bytes: number }>();
  for (const { dtype, shape } of file.tensors.values()) {
    const sum = dtypes.get(dtype) ?? { tensors: 0, bytes: 0 };
    dtypes.set(dtype, { tensors: sum.tensors + 1, bytes: sum.bytes + elementCount(shape) * dtypeBytes[dtype] });
  }

  const missing = new Set<string>();
  const misshapen = new Map<string, Examination['misshapen'][number]>();
  const mistyped = new Map<string, Examination['mistyped'][number]>();
  const used = new Set<string>();
  const sound: { name: string; fileName: string; shape: readonly number[] }[] = [];
  let total = 0;
  const expected = expectedTensors(config);
  for (const [name, shape] of expected) {
    const inFile = fileTensor(name, layout);
    const fileName = inFile.name;
    used.add(fileName);
    const tensor = file.tensors.get(fileName);
    const whole = wholeShape(inFile, shape);
    if (!tensor) missing.add(fileName);
    else if (shapeText(tensor.shape) !== shapeText(whole))
      misshapen.set(fileName, { fileName, shape: tensor.shape, expected: whole });
    else if (!readAs(tensor.dtype)) mistyped.set(fileName, { fileName, dtype: tensor.dtype });
    else {
      sound.push({ name, fileName, shape });
      total += elementCount(shape) * dtypeBytes[tensor.dtype];
    }
  }

  let positionIds: PositionIds | undefined;
  const idsName = fileTensor(positionIdsName, layout).name;
  const ids = file.tensors.get(idsName);
  if (ids) {
    used.add(idsName);
    const L = config.maxPositionEmbeddings;
    const values = elementCount(ids.shape) === L ? numbers(await ids.read(signal), ids.dtype) : undefined;
    if (elementCount(ids.shape) !== L)
      misshapen.set(idsName, { fileName: idsName, shape: ids.shape, expected: [1, L] });
    else if (!values) mistyped.set(idsName, { fileName: idsName, dtype: ids.dtype });
    else positionIds = examineIds(idsName, ids.dtype, values);
  }
  const { prefix, names } = layouts[layout];
  const extra = [...file.tensors.keys()].filter(
    (name) => name.startsWith(prefix) && !used.has(name) && !/^(module\.)?(visual|vision_model)\./.test(name),
  );

  const tensors: TensorReport[] = [];
  const digests: Uint8Array<ArrayBuffer>[] = [];
  let done = 0;
  for (const { name, fileName, shape } of sound) {
    const tensor = file.tensors.get(fileName)!;
    const bytes = await tensor.read(signal, rowsInFile(fileTensor(name, layout), shape));
    signal?.throwIfAborted();
    const digest = await sha256(bytes);
    if (digest) digests.push(digest);
    const values = toFloat32(tensor.dtype === 'F64' ? fromFloat64(bytes) : bytes, readAs(tensor.dtype)!);
    const { first, ...numbers } = statistics(values);
    tensors.push({
      name,
      fileName,
      dtype: tensor.dtype,
      shape,
      ...numbers,
      firstNonFinite: first < 0 ? undefined : { value: values[first], index: unravel(first, shape) },
      sha256: digest && hex(digest),
    });
    done += bytes.length;
    onProgress?.(done, total);
    signal?.throwIfAborted();
  }
  const complete = digests.length === expected.size;
  const whole = complete ? await sha256(new Uint8Array(await new Blob(digests).arrayBuffer())) : undefined;

  const notes: string[] = [];
  if (names === 'openai')
    notes.push(
      "OpenCLIP's ViT-L/14 trained on LAION has the same tensors as OpenAI's, which alone is Stable Diffusion 1's: it needs the exact GELU, and nothing in the file tells them apart.",
    );
  return {
    layout,
    config,
    dtypes,
    missing: [...missing],
    extra,
    misshapen: [...misshapen.values()],
    mistyped: [...mistyped.values()],
    tensors,
    positionIds,
    sha256: whole && hex(whole),
    notes,
  };
}

/** How far apart two tensors, or two groups of them, are: Frobenius norms in float64. */
export interface Difference {
  /** ‖A − B‖ */
  readonly difference: number;
  /** ‖A‖ */
  readonly norm: number;
  /** ‖A − B‖ / ‖A‖; infinite where only A is zero. */
  readonly relative: number;
}

export interface Drift {
  /** By Hugging Face's names. */
  readonly tensors: ReadonlyMap<string, Difference>;
  readonly embeddings: Difference;
  /** [N] */
  readonly layers: readonly Difference[];
  readonly finalLayerNorm: Difference;
  readonly whole: Difference;
}

/** Of sums of squares. */
function difference(squares: number, normSquares: number): Difference {
  const [apart, norm] = [Math.sqrt(squares), Math.sqrt(normSquares)];
  return { difference: apart, norm, relative: apart === 0 ? 0 : apart / norm };
}

/**
 * How far encoder `b` has moved from `a`, tensor by tensor; two tensors in memory at a time. Throws CheckpointError where
 * their sizes differ, and what their `read` throws.
 */
export async function drift(a: WeightSource, b: WeightSource, options: DoctorOptions = {}): Promise<Drift> {
  const { signal, onProgress } = options;
  const { hiddenSize: d, numHiddenLayers: N } = a.config;
  if (d !== b.config.hiddenSize || N !== b.config.numHiddenLayers)
    throw new CheckpointError(
      `"${a.name}" and "${b.name}" have text encoders of different sizes (width ${d} and ${b.config.hiddenSize}); only like can be compared.`,
    );
  const expected = [...expectedTensors(a.config)];
  const bytesOf = (source: WeightSource, name: string, shape: readonly number[]) =>
    elementCount(shape) * dtypeBytes[source.tensor(name).dtype];
  const total = expected.reduce((sum, [name, shape]) => sum + bytesOf(a, name, shape) + bytesOf(b, name, shape), 0);
  const tensors = new Map<string, Difference>();
  const group = () => ({ squares: 0, normSquares: 0 });
  const [embeddings, finalLayerNorm, whole] = [group(), group(), group()];
  const layers = Array.from({ length: N }, group);
  let done = 0;
  for (const [name, shape] of expected) {
    const bytesA = await a.read(name, signal);
    const bytesB = await b.read(name, signal);
    const [x, y] = [toFloat32(bytesA, a.tensor(name).dtype), toFloat32(bytesB, b.tensor(name).dtype)];
    let squares = 0;
    let normSquares = 0;
    for (let i = 0; i < x.length; i++) {
      squares += (x[i] - y[i]) * (x[i] - y[i]);
      normSquares += x[i] * x[i];
    }
    tensors.set(name, difference(squares, normSquares));
    const layer = /\.layers\.(\d+)\./.exec(name)?.[1];
    const part = layer ? layers[Number(layer)] : name.includes('.embeddings.') ? embeddings : finalLayerNorm;
    for (const sum of [part, whole]) {
      sum.squares += squares;
      sum.normSquares += normSquares;
    }
    done += bytesOf(a, name, shape) + bytesOf(b, name, shape);
    onProgress?.(done, total);
    signal?.throwIfAborted();
  }
  const of = (sum: { squares: number; normSquares: number }) => difference(sum.squares, sum.normSquares);
  return {
    tensors,
    embeddings: of(embeddings),
    layers: layers.map(of),
    finalLayerNorm: of(finalLayerNorm),
    whole: of(whole),
  };
}
