/** The part of a U-Net that reads the conditioning: the K and V projections of its cross-attention layers. */
import { readFloats } from '../files/floatTensor.ts';
import { excerpt, type StoredTensor, shapeText, type TensorFile } from '../files/tensorFile.ts';

/** No U-Net that can be read is in the file. The message is one sentence that names the file. */
export class UnetFileError extends Error {
  override name = 'UnetFileError';
}

/** One cross-attention layer, whose weights are not yet read: C numbers of all its heads, d numbers of a row of the conditioning. */
export interface CrossAttentionLayer {
  /** Its place in the order in which they run: `down 1`, `mid`, `up 9`. */
  readonly name: string;
  /** Its block in the file: `input_blocks.1.1`. */
  readonly block: string;
  /** C */
  readonly channels: number;
  /** Reads W_K and W_V, [C, d] each, out of the file. Throws UnetFileError for a number that is not finite. */
  key(signal?: AbortSignal): Promise<Float32Array>;
  value(signal?: AbortSignal): Promise<Float32Array>;
}

export interface UnetLayers {
  /** d, numbers of a row of the conditioning. */
  readonly width: number;
  /** In the order in which they run. */
  readonly layers: readonly CrossAttentionLayer[];
}

/** Halves of a U-Net and what is between them, in the order in which they run. */
const halves = ['down', 'mid', 'up'] as const;

/**
 * Names of W_K below a prefix: those of Stable Diffusion's checkpoints, of Diffusers, and of the page's own denoiser. Groups: prefix,
 * block, place in the layer.
 */
const keyNames = [
  /^(.*?)((input_blocks|middle_block|output_blocks)\.[\d.]+)\.transformer_blocks\.(\d+)\.attn2\.to_k\.weight$/,
  /^(.*?)((down_blocks|mid_block|up_blocks)\.(?:\d+\.)?attentions\.\d+)\.transformer_blocks\.(\d+)\.attn2\.to_k\.weight$/,
  /^()((down|up)\.\d+\.blocks\.(\d+))\.cross\.to_k\.weight$/,
];

const halfOf: Readonly<Record<string, number>> = {
  ...{ input_blocks: 0, down_blocks: 0, down: 0 },
  ...{ middle_block: 1, mid_block: 1 },
  ...{ output_blocks: 2, up_blocks: 2, up: 2 },
};

interface FoundKey {
  readonly name: string;
  readonly prefix: string;
  readonly block: string;
  readonly half: number;
  /** Its numbers, which say in which order the blocks run. */
  readonly order: readonly number[];
}

function readName(name: string): FoundKey | null {
  for (const pattern of keyNames) {
    const [, prefix, block, half, place] = pattern.exec(name) ?? [];
    if (block === undefined) continue;
    const numbers = Array.from(block.matchAll(/\d+/g), ([number]) => Number(number));
    return { name, prefix, block, half: halfOf[half], order: [halfOf[half], ...numbers, Number(place)] };
  }
  return null;
}

function inOrder({ order: a }: FoundKey, { order: b }: FoundKey): number {
  const at = a.findIndex((number, i) => number !== b[i]);
  return at < 0 ? 0 : a[at] - (b[at] ?? 0);
}

/** The cross-attention layers of the largest U-Net among these names, in the order in which they run; none where there is none. */
function unetKeys(names: Iterable<string>): FoundKey[] {
  const byPrefix = new Map<string, FoundKey[]>();
  for (const name of names) {
    const found = readName(name);
    if (!found) continue;
    const keys = byPrefix.get(found.prefix) ?? [];
    keys.push(found);
    byPrefix.set(found.prefix, keys);
  }
  // A ControlNet has the first half of a U-Net alone.
  const whole = [...byPrefix.values()].filter((keys) => keys.some(({ half }) => half === 2));
  const [largest = []] = whole.sort((a, b) => b.length - a.length);
  return largest.sort(inOrder);
}

/** Whether a file has a U-Net that reads a conditioning. */
export const hasUnet = ({ tensors }: Pick<TensorFile, 'tensors'>): boolean => unetKeys(tensors.keys()).length > 0;

/** Says in a sentence's second half what to open. */
export const unetAdvice =
  'open a whole checkpoint of Stable Diffusion 1, or diffusion_pytorch_model.safetensors of its folder “unet”';

/** Finds the cross-attention layers of a file's U-Net, of whatever size. Throws UnetFileError. */
export function unetLayers({ source, tensors }: TensorFile): UnetLayers {
  const fail = (why: string): never => {
    throw new UnetFileError(`"${source.name}" ${why}.`);
  };
  const keys = unetKeys(tensors.keys());
  if (keys.length === 0) fail(`has no U-Net; ${unetAdvice}`);
  const width = tensors.get(keys[0].name)!.shape.at(-1) ?? 0;

  /** A matrix [·, d] that is read as it is. */
  const matrix = (name: string): StoredTensor => {
    const tensor = tensors.get(name) ?? fail(`lacks tensor ${excerpt(name)} of its U-Net`);
    const { shape } = tensor;
    if (shape.length !== 2 || shape[1] !== width)
      fail(`has tensor ${excerpt(name)} of shape ${shapeText(shape.slice(0, 8))}; expected […, ${width}]`);
    const factor = ['scale_weight', 'weight_scale'].map((ending) => name.replace(/weight$/, ending));
    if (factor.some((beside) => tensors.has(beside)))
      fail('keeps its U-Net in few bits with factors beside them; open one in float16 or float32');
    return tensor;
  };
  const hasOneMiddle = keys.filter(({ half }) => halves[half] === 'mid').length === 1;
  const counts = [0, 0, 0];
  const layers = keys.map(({ name, block, half }): CrossAttentionLayer => {
    const valueName = name.replace(/to_k\.weight$/, 'to_v.weight');
    const [key, value] = [matrix(name), matrix(valueName)];
    if (key.shape[0] !== value.shape[0])
      fail(`has tensor ${excerpt(valueName)} of shape ${shapeText(value.shape)}; expected ${shapeText(key.shape)}`);
    counts[half]++;
    return {
      name: halves[half] === 'mid' && hasOneMiddle ? 'mid' : `${halves[half]} ${counts[half]}`,
      block,
      channels: key.shape[0],
      key: (signal) => readFloats(name, key, fail, signal),
      value: (signal) => readFloats(valueName, value, fail, signal),
    };
  });
  return { width, layers };
}
