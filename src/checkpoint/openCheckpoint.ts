import { type ClipTextConfig, clipTiny, clipVitL14 } from '../clip/config.ts';
import {
  expectedTensors,
  finalLayerNormWeightName,
  layerTensor,
  positionEmbeddingName,
  tokenEmbeddingName,
  type WeightDtype,
  type WeightSource,
  weightBytes,
} from '../clip/weights.ts';
import { firstNonFinite, toFloat32 } from './dtypes.ts';
import { openSafetensors } from './safetensors.ts';
import type { ByteSource } from './sources.ts';
import { excerpt, type StoredTensor, type TensorFile } from './tensorFile.ts';
import { describeOtherFile, fileTensorName, findLayout, type Layout } from './tensorNames.ts';

/** A checkpoint that cannot be used; one sentence naming the file, what was expected and what is there. */
export class CheckpointError extends Error {
  override name = 'CheckpointError';
}

/** A text encoder in a file. `read` throws CheckpointError when a value is NaN or infinite. */
export interface Checkpoint extends WeightSource {
  readonly layout: Layout;
}

/** Text encoders by their width d, to say whose it is that cannot be used. */
const otherWidths: Readonly<Record<number, string>> = {
  512: 'CLIP ViT-B',
  1024: 'Stable Diffusion 2',
  1280: "SDXL's second encoder",
};

const isWeightDtype = (dtype: string): dtype is WeightDtype => Object.hasOwn(weightBytes, dtype);

const shapeText = (shape: readonly number[]) => `[${shape.join(', ')}]`;

/** Row-major index of element i: [row, column]. */
function unravel(i: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  for (const size of shape.toReversed()) {
    index.unshift(i % size);
    i = Math.floor(i / size);
  }
  return index;
}

/**
 * Finds the text encoder in a tensor file (Hugging Face with or without `text_model.`, LDM/A1111 with or without it,
 * SDXL's first) and checks every name, shape and dtype. Throws CheckpointError, or SafetensorsError if the file is broken.
 */
export async function openCheckpoint(source: ByteSource, signal?: AbortSignal): Promise<Checkpoint> {
  return textEncoder(await openSafetensors(source, signal));
}

/** The text encoder of an open tensor file. Throws CheckpointError. */
export function textEncoder({ source: { name: file }, tensors }: TensorFile): Checkpoint {
  const fail = (why: string): never => {
    throw new CheckpointError(`"${file}" ${why}.`);
  };
  const layout = findLayout(tensors) ?? fail(describeOtherFile(tensors));
  const stored = (name: string) => tensors.get(fileTensorName(name, layout));

  const config = findConfig(stored, fail);
  const expected = expectedTensors(config);
  const missing = [...expected.keys()].filter((name) => !stored(name));
  if (missing.length > 0)
    fail(
      `lacks ${missing.length} of the ${expected.size} tensors of the text encoder, the first being "${fileTensorName(missing[0], layout)}"`,
    );
  if (stored(layerTensor(config.numHiddenLayers, 'layer_norm1.weight')))
    fail(`has a text encoder of more than ${config.numHiddenLayers} layers, which is not Stable Diffusion 1's`);

  const found = new Map<string, { fileName: string; dtype: WeightDtype; tensor: StoredTensor }>();
  for (const [name, shape] of expected) {
    const fileName = fileTensorName(name, layout);
    const tensor = tensors.get(fileName)!;
    const { dtype } = tensor;
    if (shapeText(tensor.shape) !== shapeText(shape))
      fail(`has tensor "${fileName}" of shape ${shapeText(tensor.shape.slice(0, 8))}; expected ${shapeText(shape)}`);
    if (isWeightDtype(dtype)) found.set(name, { fileName, dtype, tensor });
    else fail(`stores tensor "${fileName}" as ${dtype}; expected F32, F16 or BF16`);
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
      const { dtype, tensor } = get(name);
      return { dtype, shape: tensor.shape };
    },
    async read(name, signal) {
      const { fileName, dtype, tensor } = get(name);
      const bytes = await tensor.read(signal);
      const bad = firstNonFinite(bytes, dtype);
      if (bad >= 0) {
        const size = weightBytes[dtype];
        const [value] = toFloat32(bytes.slice(bad * size, (bad + 1) * size), dtype);
        fail(
          `has ${value} in tensor "${fileName}" at ${shapeText(unravel(bad, tensor.shape))}; expected only finite numbers`,
        );
      }
      return bytes;
    },
  };
}

/** The config whose width the encoder's tables have. */
function findConfig(stored: (name: string) => StoredTensor | undefined, fail: (why: string) => never): ClipTextConfig {
  // The token table says it; the others stand in where that is missing, which is then the next complaint.
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
