import type { ClipTextConfig } from '../clip/config.ts';
import { expectedTensors, type WeightSource } from '../clip/weights.ts';
import { readAs, toFloat32, toReadable } from '../files/dtypes.ts';
import {
  dtypeBytes,
  elementCount,
  type StoredTensor,
  shapeText,
  type TensorFile,
  unravel,
} from '../files/tensorFile.ts';
import { latePositionsName, withLatePositions } from './longPositions.ts';
import { CheckpointError, encoderSizes, openclipDoubt, rowsInFile } from './openCheckpoint.ts';
import { describeOtherFile, type FileTensor, fileTensor, findLayout, type Layout, wholeShape } from './tensorNames.ts';
import { hex, sha256 } from './weightsHash.ts';

/** One of the encoder's tensors in the file. The statistics cover its finite elements, in float64. */
export interface TensorReport {
  /** Hugging Face's name. */
  readonly name: string;
  readonly fileName: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Standard deviation of the population: √(Σ(x − mean)² / n). */
  readonly std: number;
  readonly zeros: number;
  readonly nonFinite: number;
  /** The first NaN or infinity and where it is. */
  readonly firstNonFinite?: { readonly value: number; readonly index: readonly number[] };
  /** Hexadecimal SHA-256 of the bytes as stored; undefined on a page that is not secure, where there is no SHA-256. */
  readonly sha256?: string;
}

/** The position ids that some files carry. The encoder here does not read them: it always uses 0 to L − 1. */
export interface PositionIds {
  readonly fileName: string;
  readonly dtype: string;
  /** Ids that differ from their position. If they are no integers, A1111 and diffusers truncate them; ComfyUI rounds. */
  readonly wrong: readonly {
    readonly position: number;
    readonly value: number;
    readonly truncated: number;
    readonly rounded: number;
  }[];
  /** Positions whose truncated id an earlier position has already: both get the same position embedding. */
  readonly collapsed: readonly { readonly position: number; readonly onto: number }[];
}

export interface Examination {
  readonly layout: Layout;
  readonly config: ClipTextConfig;
  /** All tensors of the file, the encoder's and others, counted by type. */
  readonly dtypes: ReadonlyMap<string, { readonly tensors: number; readonly bytes: number }>;
  /** Tensors that the encoder needs and the file lacks, by the names they would have in this file. */
  readonly missing: readonly string[];
  /** Tensors under the encoder's prefix that the encoder does not use. */
  readonly extra: readonly string[];
  readonly misshapen: readonly {
    readonly fileName: string;
    readonly shape: readonly number[];
    readonly expected: readonly number[];
  }[];
  /** Tensors of a type that cannot be read as weights. */
  readonly mistyped: readonly { readonly fileName: string; readonly dtype: string }[];
  /** The tensors that can be read, in the order of expectedTensors. */
  readonly tensors: readonly TensorReport[];
  readonly positionIds?: PositionIds;
  /**
   * SHA-256 of the tensors' SHA-256 (32 bytes each, in the order of expectedTensors): the same encoder has the same hash
   * in a file of another layout. Undefined if a tensor lacks one.
   */
  readonly sha256?: string;
  /** Sentences about facts that the tensors cannot show. */
  readonly notes: readonly string[];
}

export interface DoctorOptions {
  readonly signal?: AbortSignal;
  /** Is called with the bytes read so far and in all. */
  readonly onProgress?: (done: number, total: number) => void;
}

const positionIdsName = 'text_model.embeddings.position_ids';

type Statistics = Pick<TensorReport, 'min' | 'max' | 'mean' | 'std' | 'zeros' | 'nonFinite'> & { first: number };

/** Computes statistics of the finite elements. `first` is the index of the first element that is not finite, or -1. */
function statistics(values: Float32Array): Statistics {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  let zeros = 0;
  let nonFinite = 0;
  let first = -1;
  for (let i = 0; i < values.length; i++) {
    const x = values[i];
    // x − x is 0 for every finite number, and NaN otherwise.
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

/** Reads elements as numbers; undefined for complex types and those that are not known. */
function numbers(bytes: Uint8Array<ArrayBuffer>, dtype: string): number[] | undefined {
  const { buffer } = bytes.slice();
  const readable = dtype === 'F64' ? undefined : readAs(dtype);
  if (readable) return Array.from(toFloat32(toReadable(bytes, dtype), readable));
  switch (dtype) {
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

function examineIds(fileName: string, dtype: string, values: readonly number[]): PositionIds {
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

/** Counts the tensors of a file and their bytes, by type. */
function countDtypes(file: TensorFile): Examination['dtypes'] {
  const dtypes = new Map<string, { tensors: number; bytes: number }>();
  for (const { dtype, bytes } of file.tensors.values()) {
    const sum = dtypes.get(dtype) ?? { tensors: 0, bytes: 0 };
    dtypes.set(dtype, { tensors: sum.tensors + 1, bytes: sum.bytes + bytes });
  }
  return dtypes;
}

/** A tensor of the encoder that can be read. */
interface SoundTensor {
  /** Hugging Face's name. */
  readonly name: string;
  readonly inFile: FileTensor;
  readonly tensor: StoredTensor;
  readonly shape: readonly number[];
}

/** The encoder's tensors, sorted by whether they can be read. The faults are by the names in the file. */
interface SortedTensors {
  readonly sound: SoundTensor[];
  readonly missing: Set<string>;
  readonly misshapen: Map<string, Examination['misshapen'][number]>;
  readonly mistyped: Map<string, Examination['mistyped'][number]>;
}

function sortTensors(tensors: TensorFile['tensors'], layout: Layout, config: ClipTextConfig): SortedTensors {
  const sorted: SortedTensors = { sound: [], missing: new Set(), misshapen: new Map(), mistyped: new Map() };
  for (const [name, shape] of expectedTensors(config)) {
    const inFile = fileTensor(name, layout);
    const fileName = inFile.name;
    const tensor = tensors.get(fileName);
    const whole = wholeShape(inFile, shape);
    if (!tensor) sorted.missing.add(fileName);
    else if (shapeText(tensor.shape) !== shapeText(whole))
      sorted.misshapen.set(fileName, { fileName, shape: tensor.shape, expected: whole });
    else if (!readAs(tensor.dtype)) sorted.mistyped.set(fileName, { fileName, dtype: tensor.dtype });
    else sorted.sound.push({ name, inFile, tensor, shape });
  }
  return sorted;
}

/** Reads the position ids, if the file has any; adds their tensor to the faults in `sorted` if it cannot be read. */
async function readPositionIds(
  file: TensorFile,
  fileName: string,
  L: number,
  { misshapen, mistyped }: SortedTensors,
  signal?: AbortSignal,
): Promise<PositionIds | undefined> {
  const ids = file.tensors.get(fileName);
  if (!ids) return undefined;
  const { dtype, shape } = ids;
  if (elementCount(shape) !== L) {
    misshapen.set(fileName, { fileName, shape, expected: [1, L] });
    return undefined;
  }
  const values = numbers(await ids.read(signal), dtype);
  if (values) return examineIds(fileName, dtype, values);
  mistyped.set(fileName, { fileName, dtype });
  return undefined;
}

/** Computes statistics and hash of each tensor, reading one at a time. */
async function reportTensors(
  sound: readonly SoundTensor[],
  { signal, onProgress }: DoctorOptions,
): Promise<{ tensors: TensorReport[]; digests: Uint8Array<ArrayBuffer>[] }> {
  const total = sound.reduce((sum, { tensor, inFile }) => sum + tensor.bytes / (inFile.third === undefined ? 1 : 3), 0);
  const tensors: TensorReport[] = [];
  const digests: Uint8Array<ArrayBuffer>[] = [];
  let done = 0;
  for (const { name, inFile, tensor, shape } of sound) {
    const { dtype } = tensor;
    const bytes = await tensor.read(signal, rowsInFile(inFile, shape));
    signal?.throwIfAborted();
    const digest = await sha256(bytes);
    if (digest) digests.push(digest);
    const values = toFloat32(toReadable(bytes, dtype), readAs(dtype)!);
    const { first, ...numbers } = statistics(values);
    tensors.push({
      name,
      fileName: inFile.name,
      dtype,
      shape,
      ...numbers,
      firstNonFinite: first < 0 ? undefined : { value: values[first], index: unravel(first, shape) },
      sha256: digest && hex(digest),
    });
    done += bytes.length;
    onProgress?.(done, total);
    signal?.throwIfAborted();
  }
  return { tensors, digests };
}

/**
 * Examines the text encoder of a tensor file, which may be damaged, with one tensor in memory at a time. Throws
 * CheckpointError if the file has no CLIP text encoder or one of another width, the signal's reason, and what
 * `file.source` throws.
 */
export async function examine(file: TensorFile, options: DoctorOptions = {}): Promise<Examination> {
  const fail: (why: string) => never = (why) => {
    throw new CheckpointError(`"${file.source.name}" ${why}.`);
  };
  const layout = findLayout(file.tensors) ?? fail(describeOtherFile(file.tensors));
  const { config } = encoderSizes(file, layout, fail);
  const joined = withLatePositions(file.tensors, layout, fail);
  const sorted = sortTensors(joined, layout, config);
  const idsName = fileTensor(positionIdsName, layout).name;
  const positionIds = await readPositionIds(file, idsName, config.maxPositionEmbeddings, sorted, options.signal);

  const expected = [...expectedTensors(config).keys()];
  const used = new Set([idsName, latePositionsName(layout), ...expected.map((name) => fileTensor(name, layout).name)]);
  const { prefix, names } = layout;
  const extra = [...file.tensors.keys()].filter(
    (name) => name.startsWith(prefix) && !used.has(name) && !/^(module\.)?(visual|vision_model)\./.test(name),
  );
  const { tensors, digests } = await reportTensors(sorted.sound, options);
  const complete = digests.length === expected.length;
  const whole = complete ? await sha256(new Uint8Array(await new Blob(digests).arrayBuffer())) : undefined;
  const notes: string[] = [];
  if (names === 'openai' && joined === file.tensors) notes.push(openclipDoubt);
  if (file.trailingBytes)
    notes.push(
      `${file.trailingBytes} bytes after the last tensor belong to none and are passed over. ComfyUI does so too; A1111 and diffusers refuse the file.`,
    );
  return {
    layout,
    config,
    dtypes: countDtypes(file),
    missing: [...sorted.missing],
    extra,
    misshapen: [...sorted.misshapen.values()],
    mistyped: [...sorted.mistyped.values()],
    tensors,
    positionIds,
    sha256: whole && hex(whole),
    notes,
  };
}

/** The distance between two tensors, or two groups of them, in Frobenius norms in float64. */
export interface Difference {
  /** ‖A − B‖ */
  readonly difference: number;
  /** ‖A‖ */
  readonly norm: number;
  /** ‖A − B‖ / ‖A‖; infinite if only A is zero. */
  readonly relative: number;
}

export interface Drift {
  /** Keyed by Hugging Face's names. */
  readonly tensors: ReadonlyMap<string, Difference>;
  readonly embeddings: Difference;
  /** [N] */
  readonly layers: readonly Difference[];
  readonly finalLayerNorm: Difference;
  readonly whole: Difference;
}

/** Makes a Difference from ‖A − B‖² and ‖A‖². */
function difference({ squares, normSquares }: { squares: number; normSquares: number }): Difference {
  const [apart, norm] = [Math.sqrt(squares), Math.sqrt(normSquares)];
  return { difference: apart, norm, relative: apart === 0 ? 0 : apart / norm };
}

/**
 * Measures how far encoder `b` has moved from `a`, tensor by tensor, with two tensors in memory at a time. Throws
 * CheckpointError if their sizes or the words that they know differ, and what their `read` throws.
 */
export async function drift(a: WeightSource, b: WeightSource, options: DoctorOptions = {}): Promise<Drift> {
  const { signal, onProgress } = options;
  const { hiddenSize: d, numHiddenLayers: N } = a.config;
  if (d !== b.config.hiddenSize || N !== b.config.numHiddenLayers)
    throw new CheckpointError(
      `"${a.name}" and "${b.name}" have text encoders of different sizes (width ${d} and ${b.config.hiddenSize}); only like can be compared.`,
    );
  const [L, other] = [a.config.maxPositionEmbeddings, b.config.maxPositionEmbeddings];
  if (L !== other)
    throw new CheckpointError(
      `"${a.name}" and "${b.name}" have text encoders of ${L} and ${other} positions; only like can be compared.`,
    );
  const wordsOf = ({ compactTable }: WeightSource) => compactTable && [...compactTable.rowOf.keys()].join();
  if (wordsOf(a) !== wordsOf(b))
    throw new CheckpointError(
      `The token tables of "${a.name}" and "${b.name}" have rows for different words; only like can be compared.`,
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
    tensors.set(name, difference({ squares, normSquares }));
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
  return {
    tensors,
    embeddings: difference(embeddings),
    layers: layers.map(difference),
    finalLayerNorm: difference(finalLayerNorm),
    whole: difference(whole),
  };
}
