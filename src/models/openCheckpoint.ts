import { type ClipTextConfig, clipTiny, clipVitL14 } from '../clip/config.ts';
import {
  expectedTensors,
  finalLayerNormWeightName,
  layerTensor,
  positionEmbeddingName,
  tokenEmbeddingName,
  type WeightSource,
} from '../clip/weights.ts';
import { firstNonFinite, fromFloat64, readAs, toFloat32, type WeightDtype, weightBytes } from '../files/dtypes.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import type { ByteSource } from '../files/sources.ts';
import { excerpt, type Rows, type StoredTensor, shapeText, type TensorFile, unravel } from '../files/tensorFile.ts';
import { describeOtherFile, type FileTensor, fileTensor, findLayout, type Layout } from './tensorNames.ts';

/**
 * The checkpoint cannot be used. The message is one sentence that names the file, what was expected and what is there.
 */
export class CheckpointError extends Error {
  override name = 'CheckpointError';
}

/** A text encoder in a file. `read` throws CheckpointError for a value that is NaN or infinite. */
export interface Checkpoint extends WeightSource {
  readonly layout: Layout;
}

/** Names of other text encoders by their width d, for messages about files that cannot be used. */
const otherWidths: Readonly<Record<number, string>> = {
  512: 'CLIP ViT-B',
  1024: 'Stable Diffusion 2 (OpenCLIP ViT-H)',
  1280: "SDXL's second encoder (OpenCLIP ViT-bigG)",
};

/**
 * Finds the text encoder in a safetensors or PyTorch file, in any of the `layouts`, and checks every name, shape and
 * dtype. float64 is read as float32, rounded. Throws CheckpointError, or SafetensorsError or TorchFileError if the file
 * is broken.
 */
export async function openCheckpoint(source: ByteSource, signal?: AbortSignal): Promise<Checkpoint> {
  return textEncoder(await openTensorFile(source, signal));
}

/** Finds the text encoder in an open tensor file. Throws CheckpointError. */
export function textEncoder({ source: { name: file }, tensors }: TensorFile): Checkpoint {
  const fail = (why: string): never => {
    throw new CheckpointError(`"${file}" ${why}.`);
  };
  const layout = findLayout(tensors) ?? fail(describeOtherFile(tensors));
  const config = encoderConfig(tensors, layout, fail);
  const expected = expectedTensors(config);
  const missing = [...expected.keys()].filter((name) => !tensors.has(fileTensor(name, layout).name));
  if (missing.length > 0)
    fail(
      `lacks ${missing.length} of the ${expected.size} tensors of the text encoder, the first being "${fileTensor(missing[0], layout).name}"`,
    );
  if (tensors.has(fileTensor(layerTensor(config.numHiddenLayers, 'layer_norm1.weight'), layout).name))
    fail(`has a text encoder of more than ${config.numHiddenLayers} layers, which is not Stable Diffusion 1's`);

  const found = new Map<string, EncoderTensor>();
  for (const [name, shape] of expected) {
    const file = fileTensor(name, layout);
    const tensor = tensors.get(file.name)!;
    const whole = wholeShape(file, shape);
    if (shapeText(tensor.shape) !== shapeText(whole))
      fail(`has tensor "${file.name}" of shape ${shapeText(tensor.shape.slice(0, 8))}; expected ${shapeText(whole)}`);
    const dtype = readAs(tensor.dtype);
    if (dtype) found.set(name, { file, tensor, shape, dtype });
    else fail(`stores tensor "${file.name}" as ${tensor.dtype}; expected F32, F16, BF16 or F64`);
  }
  const get = (name: string) => {
    const entry = found.get(name);
    if (!entry) throw new RangeError(`A text encoder has no tensor ${excerpt(name)}.`);
    return entry;
  };

  return {
    name: file,
    random: false,
    config,
    layout,
    tensor(name) {
      const { dtype, shape } = get(name);
      return { dtype, shape };
    },
    async read(name, signal) {
      const { file, dtype, tensor, shape } = get(name);
      const rows = rowsInFile(file, shape);
      const stored = await tensor.read(signal, rows);
      const bytes = tensor.dtype === 'F64' ? fromFloat64(stored) : stored;
      const bad = firstNonFinite(bytes, dtype);
      if (bad >= 0) {
        const size = weightBytes[dtype];
        const [value] = toFloat32(bytes.slice(bad * size, (bad + 1) * size), dtype);
        const [row, ...rest] = unravel(bad, shape);
        const at = shapeText([row + (rows?.start ?? 0), ...rest]);
        fail(`has ${value} in tensor "${file.name}" at ${at}; expected only finite numbers`);
      }
      return bytes;
    },
  };
}

/** One of the encoder's tensors, and its place in the file. `dtype` is the type it is converted to. */
interface EncoderTensor {
  readonly file: FileTensor;
  readonly tensor: StoredTensor;
  readonly shape: readonly number[];
  readonly dtype: WeightDtype;
}

/**
 * Returns the shape in the file of a tensor that is `shape` in the encoder: three times as high if q, k and v are
 * joined.
 */
export function wholeShape({ third }: FileTensor, shape: readonly number[]): readonly number[] {
  return third === undefined ? shape : [3 * shape[0], ...shape.slice(1)];
}

/** Returns the rows in the file of a tensor that is `shape` in the encoder; undefined for all. */
export function rowsInFile({ third }: FileTensor, [rows]: readonly number[]): Rows | undefined {
  return third === undefined ? undefined : { start: third * rows, end: (third + 1) * rows };
}

/** Returns the config that fits the width of the encoder's tables. Calls `fail` for a width that fits none. */
export function encoderConfig(
  tensors: TensorFile['tensors'],
  layout: Layout,
  fail: (why: string) => never,
): ClipTextConfig {
  const stored = (name: string) => tensors.get(fileTensor(name, layout).name);
  // The token table tells the width. If it is missing (which is reported next), the other tables do.
  const table = stored(tokenEmbeddingName) ?? stored(positionEmbeddingName) ?? stored(finalLayerNormWeightName);
  if (!table) return clipVitL14;
  const width = table.shape.at(-1) ?? 0;
  const config = [clipVitL14, clipTiny].find(({ hiddenSize }) => hiddenSize === width);
  const whose = otherWidths[width] ? `, that of ${otherWidths[width]}` : '';
  return (
    config ??
    fail(`has a text encoder of width ${width}${whose}; expected ${clipVitL14.hiddenSize}, that of Stable Diffusion 1`)
  );
}
