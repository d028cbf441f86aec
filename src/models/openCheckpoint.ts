import { clipVitL14 } from '../clip/config.ts';
import {
  expectedTensors,
  finalLayerNormWeightName,
  layerTensor,
  positionEmbeddingName,
  tokenEmbeddingName,
  type WeightSource,
} from '../clip/weights.ts';
import {
  firstNonFinite,
  isSmall,
  readAs,
  toFloat32,
  toReadable,
  unreadable,
  type WeightDtype,
  weightBytes,
} from '../files/dtypes.ts';
import { readFloats } from '../files/floatTensor.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import type { OpenOptions } from '../files/safetensors.ts';
import type { ByteSource } from '../files/sources.ts';
import {
  elementCount,
  excerpt,
  type Rows,
  type StoredTensor,
  shapeText,
  type TensorFile,
  unravel,
} from '../files/tensorFile.ts';
import { withLatePositions } from './longPositions.ts';
import { copiedMetadata, type OwnSizes, ownSizes, positionBounds, wrongPositions } from './ownSizes.ts';
import {
  describeOtherFile,
  type FileTensor,
  fileTensor,
  findLayout,
  type Layout,
  usableConfigs,
  wholeShape,
} from './tensorNames.ts';
import { projectionTensors, readTextProjection, type TensorBeside } from './textProjection.ts';

/**
 * The checkpoint cannot be used. The message is one sentence that names the file, what was expected and what is there.
 */
export class CheckpointError extends Error {
  override name = 'CheckpointError';
}

/** A text encoder that is there but damaged, so that it can be examined. The message is one sentence. */
export class DamagedCheckpointError extends CheckpointError {
  override name = 'DamagedCheckpointError';
}

/** A text encoder in a file. `read` throws CheckpointError for a value that is NaN or infinite. */
export interface Checkpoint extends WeightSource {
  readonly layout: Layout;
  /** The metadata that a copy of its tensors needs. */
  readonly copiedMetadata: Readonly<Record<string, string>>;
  /** The tensors of `projection`, which a copy takes along. */
  readonly beside: readonly TensorBeside[];
}

/** A doubt about weights by OpenAI's names. */
export const openclipDoubt =
  "OpenCLIP's ViT-L/14 trained on LAION has the same tensors as OpenAI's, which alone is Stable Diffusion 1's: it needs the exact GELU, and nothing in the file tells them apart.";

/** Names of other text encoders by their width d, for messages about files that cannot be used. */
const otherWidths: Readonly<Record<number, string>> = {
  512: 'CLIP ViT-B',
  1024: 'Stable Diffusion 2 (OpenCLIP ViT-H)',
  1280: "SDXL's second encoder (OpenCLIP ViT-bigG)",
};

/**
 * Finds the text encoder in a safetensors or PyTorch file (findLayout), and checks every name, shape and dtype. float64 is
 * read as float32, rounded, types of 8 and 4 bits as float16, exactly, or as float32 where the file has a factor for them.
 * Throws CheckpointError, or SafetensorsError or TorchFileError if the file is broken.
 */
export async function openCheckpoint(
  source: ByteSource,
  signal?: AbortSignal,
  options?: OpenOptions,
): Promise<Checkpoint> {
  return textEncoder(await openTensorFile(source, signal, options));
}

/** Finds the text encoder in an open tensor file. Throws CheckpointError. */
export function textEncoder(opened: TensorFile): Checkpoint {
  const file = opened.source.name;
  const fail = (why: string): never => {
    throw new CheckpointError(`"${file}" ${why}.`);
  };
  const part = partOf(file);
  const layout = findLayout(opened.tensors) ?? fail(describeOtherFile(opened.tensors) + part);
  const tensors = withLatePositions(opened.tensors, layout, fail);
  const { config, compactTable } = encoderSizes(opened, layout, fail);
  const failDamaged = (why: string): never => {
    throw new DamagedCheckpointError(`"${file}" ${why}.`);
  };
  const expected = expectedTensors(config);
  const missing = [...expected.keys()].filter((name) => !tensors.has(fileTensor(name, layout).name));
  const adapted = missing.length > 0 && [...tensors.keys()].find((name) => /\.base_layer\.weight$/.test(name));
  if (adapted)
    fail(
      `has a text encoder with PEFT's adapters beside its weights, such as ${excerpt(adapted)}; merge them (merge_and_unload) and save it again`,
    );
  if (missing.length > 0)
    failDamaged(
      `lacks ${missing.length} of the ${expected.size} tensors of the text encoder, the first being "${fileTensor(missing[0], layout).name}"${part}`,
    );
  if (tensors.has(fileTensor(layerTensor(config.numHiddenLayers, 'layer_norm1.weight'), layout).name))
    fail(
      `has a text encoder of more than ${config.numHiddenLayers} layers, which is not ${config === clipVitL14 ? "Stable Diffusion 1's" : 'what it should have'}`,
    );

  const found = new Map<string, EncoderTensor>();
  for (const [name, shape] of expected) {
    const file = fileTensor(name, layout);
    const tensor = tensors.get(file.name)!;
    const whole = wholeShape(file, shape);
    if (shapeText(tensor.shape) !== shapeText(whole))
      failDamaged(
        `has tensor "${file.name}" of shape ${shapeText(tensor.shape.slice(0, 8))}; expected ${shapeText(whole)}`,
      );
    const dtype = readAs(tensor.dtype);
    const factor = factorOf(tensors, file.name, fail);
    if (dtype) found.set(name, { file, tensor, shape, dtype: factor ? 'F32' : dtype, factor });
    else failDamaged(`stores tensor "${file.name}" as ${unreadable(tensor.dtype)}`);
  }
  const get = (name: string) => {
    const entry = found.get(name);
    if (!entry) throw new RangeError(`A text encoder has no tensor ${excerpt(name)}.`);
    return entry;
  };

  const beside = projectionTensors(tensors, layout);
  return {
    name: file,
    random: false,
    config,
    layout,
    copiedMetadata: copiedMetadata(opened),
    ...(compactTable && { compactTable }),
    // Long-CLIP's own file is of OpenAI's encoder.
    ...(layout.names === 'openai' && tensors === opened.tensors && { doubt: openclipDoubt }),
    beside,
    ...(beside.length > 0 && { projection: (signal) => readTextProjection(beside, config.hiddenSize, fail, signal) }),
    recycle: opened.source.recycle,
    tensor(name) {
      const { dtype, shape } = get(name);
      return { dtype, shape };
    },
    async read(name, signal) {
      const { file, dtype, tensor, shape, factor } = get(name);
      const rows = rowsInFile(file, shape);
      const readable = toReadable(await tensor.read(signal, rows), tensor.dtype);
      const bytes = factor ? await times(readable, readAs(tensor.dtype)!, factor, fail, signal) : readable;
      const bad = firstNonFinite(bytes, dtype);
      if (bad >= 0) {
        const size = weightBytes[dtype];
        const [value] = toFloat32(bytes.slice(bad * size, (bad + 1) * size), dtype);
        const [row, ...rest] = unravel(bad, shape);
        const at = shapeText([row + (rows?.start ?? 0), ...rest]);
        failDamaged(`has ${value} in tensor "${file.name}" at ${at}; expected only finite numbers`);
      }
      return bytes;
    },
  };
}

/** Says that a file is one of several, which its name tells: `model-00001-of-00002.safetensors`. */
function partOf(fileName: string): string {
  const [, number, count] = /-(\d{5})-of-(\d{5})\.\w+$/.exec(fileName) ?? [];
  return number ? `; it is part ${Number(number)} of ${Number(count)} of a model, which are not opened together` : '';
}

/** One of the encoder's tensors, and its place in the file. `dtype` is the type it is converted to. */
interface EncoderTensor {
  readonly file: FileTensor;
  readonly tensor: StoredTensor;
  readonly shape: readonly number[];
  readonly dtype: WeightDtype;
  readonly factor?: Factor;
}

/** One number, by which weights of few bits are multiplied. */
interface Factor {
  readonly name: string;
  readonly tensor: StoredTensor;
}

/** Endings for what ComfyUI's files of 8-bit weights keep beside `….weight`: its factor, in two spellings. */
const factorEndings = ['scale_weight', 'weight_scale'];

/** The factor of a weight of 8 or 4 bits, where the file has one. Fails where there are several, as of blocks or rows. */
function factorOf(
  tensors: TensorFile['tensors'],
  weightName: string,
  fail: (why: string) => never,
): Factor | undefined {
  if (!isSmall(tensors.get(weightName)!.dtype)) return undefined;
  for (const ending of factorEndings) {
    const name = weightName.replace(/weight$/, ending);
    const tensor = tensors.get(name);
    if (!tensor) continue;
    if (elementCount(tensor.shape) !== 1)
      fail(
        `stores tensor "${weightName}" with factors of shape ${shapeText(tensor.shape.slice(0, 8))}; expected one factor for the whole tensor`,
      );
    return { name, tensor };
  }
  return undefined;
}

/** Weights as float32, each multiplied and rounded once. */
async function times(
  bytes: Uint8Array<ArrayBuffer>,
  dtype: WeightDtype,
  { name, tensor }: Factor,
  fail: (why: string) => never,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const [factor] = await readFloats(name, tensor, fail, signal);
  return new Uint8Array(toFloat32(bytes, dtype).map((value) => value * factor).buffer);
}

/** Returns the rows in the file of a tensor that is `shape` in the encoder; undefined for all. */
export function rowsInFile({ third }: FileTensor, [rows]: readonly number[]): Rows | undefined {
  return third === undefined ? undefined : { start: third * rows, end: (third + 1) * rows };
}

/**
 * Returns the sizes that the file says, or else those that fit the width of the encoder's tables, with as many positions as its position
 * table has rows. Calls `fail` for a width that fits none, and for too few or too many positions.
 */
export function encoderSizes(file: TensorFile, layout: Layout, fail: (why: string) => never): OwnSizes {
  const own = ownSizes(file, fail);
  if (own) return own;
  const { tensors } = file;
  const stored = (name: string) => tensors.get(fileTensor(name, layout).name);
  // The token table tells the width. If it is missing (which is reported next), the other tables do.
  const table = stored(tokenEmbeddingName) ?? stored(positionEmbeddingName) ?? stored(finalLayerNormWeightName);
  if (!table) return { config: clipVitL14 };
  const width = table.shape.at(-1) ?? 0;
  const config = usableConfigs.find(({ hiddenSize }) => hiddenSize === width);
  const whose = otherWidths[width] ? `, that of ${otherWidths[width]}` : '';
  if (!config)
    return fail(
      `has a text encoder of width ${width}${whose}; expected ${clipVitL14.hiddenSize}, that of Stable Diffusion 1`,
    );
  const [positions, ...columns] = stored(positionEmbeddingName)?.shape ?? [];
  const { least, most } = positionBounds;
  // A table of another shape is reported as such.
  if (columns.length !== 1 || columns[0] !== width || positions === config.maxPositionEmbeddings) return { config };
  if (positions < least || positions > most) return fail(wrongPositions(positions));
  return { config: { ...config, maxPositionEmbeddings: positions } };
}
