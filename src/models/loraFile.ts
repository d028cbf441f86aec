import { type ClipTextConfig, clipVitL14 } from '../clip/config.ts';
import { expectedTensors, type LayerTensorName, layerTensor, type WeightSource } from '../clip/weights.ts';
import { toFloat32 } from '../files/dtypes.ts';
import { readFloats } from '../files/floatTensor.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import type { ByteSource } from '../files/sources.ts';
import { elementCount, excerpt, type StoredTensor, shapeText, type TensorFile } from '../files/tensorFile.ts';

/**
 * The file has no usable LoRA. The message is one sentence that names the file, what was expected and what is there.
 */
export class LoraError extends Error {
  override name = 'LoraError';
}

/** The linear layers that a LoRA can change, and their weights' names. */
const projections = {
  qProj: 'self_attn.q_proj.weight',
  kProj: 'self_attn.k_proj.weight',
  vProj: 'self_attn.v_proj.weight',
  outProj: 'self_attn.out_proj.weight',
  fc1: 'mlp.fc1.weight',
  fc2: 'mlp.fc2.weight',
} as const satisfies Record<string, LayerTensorName>;

export type Projection = keyof typeof projections;

/** A change that a LoRA adds to one weight: ΔW = multiplier · (alpha / r) · up · down. */
export interface LoraUpdate {
  readonly layer: number;
  readonly projection: Projection;
  /** r */
  readonly rank: number;
  /** [r, in] */
  readonly down: Float32Array;
  /** [out, r] */
  readonly up: Float32Array;
  /** alpha; r if the file has none. */
  readonly alpha: number;
}

/** Tensors that were not used, by reason. */
export interface LeftOut {
  readonly unet: number;
  /** Number of tensors for SDXL's OpenCLIP ViT-bigG and other encoders that come after the first. */
  readonly otherEncoders: number;
  /** Names of tensors for this encoder, of a kind that cannot be applied. */
  readonly unsupported: readonly { readonly kind: string; readonly names: readonly string[] }[];
  /** Names of the remaining tensors, without the textual inversions that the LoRA brings (embeddingFile.ts). */
  readonly unknown: readonly string[];
}

export interface Lora {
  /** The file's name without its ending. */
  readonly name: string;
  /** Updates by layer, then in the order of the encoder. Empty if the LoRA changes only the U-Net. */
  readonly updates: readonly LoraUpdate[];
  readonly leftOut: LeftOut;
}

/** Hugging Face name of the weight that an update changes. */
export function loraTarget({ layer, projection }: Pick<LoraUpdate, 'layer' | 'projection'>): string {
  return layerTensor(layer, projections[projection]);
}

/** Most float32 values of all updates together: 1 GB. A LoRA of rank 128 has some 60 MB. */
const mostValues = 1 << 28;

/** Matches the start of a name, before the layer's own name. kohya writes `_` for every `.`. */
const inEncoder =
  /^(?:lora_te1?_|lycoris_te1?_|lora_prior_te_|text_encoder\.|base_model\.model\.|te1?\.)?(?:text_encoder\.)?text_model[._](?:encoder[._])layers[._](\d+)[._]/;
const inUnet = /^(lora_unet_|lycoris_unet_|unet\.|model\.diffusion_model\.|diffusion_model\.)/;
const inOtherEncoder = /^(lora_te[23]_|lycoris_te[23]_|text_encoder_[23]\.|te[23]\.|lora_t5|text_encoders?\.t5)/;

/** Matches the layer's own name, and captures the rest. */
const inLayer = /^(?:(?:self_attn[._](?:to_)?(q|k|v|out)(?:_proj)?)|mlp[._](fc1|fc2))(?:_lora)?[._](.+)$/;

const projectionOf: Readonly<Record<string, Projection>> = {
  q: 'qProj',
  k: 'kProj',
  v: 'vProj',
  out: 'outProj',
  fc1: 'fc1',
  fc2: 'fc2',
};

type Part = 'down' | 'up' | 'alpha';

/** Parts of an update by the end of a tensor's name: kohya's, PEFT's and Diffusers' three spellings, in that order. */
const parts: readonly (readonly [RegExp, Part])[] = [
  [/^lora_down\.weight$/, 'down'],
  [/^lora_up\.weight$/, 'up'],
  [/^lora_A\.(default\.)?weight$/, 'down'],
  [/^lora_B\.(default\.)?weight$/, 'up'],
  [/^(lora_linear_layer|lora)\.down\.weight$/, 'down'],
  [/^(lora_linear_layer|lora)\.up\.weight$/, 'up'],
  [/^down\.weight$/, 'down'],
  [/^up\.weight$/, 'up'],
  [/^alpha$/, 'alpha'],
];

/** Kinds of changes that cannot be applied, by the end of a tensor's name. */
const otherKinds: readonly (readonly [RegExp, string])[] = [
  [/^(dora_scale|lora_magnitude_vector)/, 'DoRA'],
  [/^hada_/, 'LoHa'],
  [/^lokr_/, 'LoKr'],
  [/^(lora_mid|lora_conv)/, 'LoCon with a core (Tucker)'],
  [/^oft_/, 'OFT'],
  [/^(a1|a2|b1|b2)\./, 'GLoRA'],
  [/^on_input$/, 'IA³'],
  [/^diff(_b)?$/, 'whole differences'],
];

interface Draft {
  readonly layer: number;
  readonly projection: Projection;
  readonly tensors: Map<Part, readonly [name: string, tensor: StoredTensor]>;
  readonly others: Map<string, string[]>;
}

/** Returns the list under `key`; makes one if there is none. */
function listOf(lists: Map<string, string[]>, key: string): string[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}

/** Returns [r, in] for a matrix [r, in], or for [r, in, 1, 1] in a convolution's shape. */
function matrixShape(name: string, { shape }: StoredTensor, fail: (why: string) => never): [number, number] {
  const [rows, columns, ...kernel] = shape;
  if (shape.length < 2 || shape.length > 4 || kernel.some((size) => size !== 1) || rows < 1 || columns < 1)
    fail(`has tensor ${excerpt(name)} of shape ${shapeText(shape.slice(0, 8))}, which is not a matrix`);
  return [rows, columns];
}

async function readUpdate(
  { layer, projection, tensors }: Draft,
  config: ClipTextConfig,
  fail: (why: string) => never,
  signal?: AbortSignal,
): Promise<LoraUpdate> {
  const [downName, downTensor] = tensors.get('down') ?? [];
  const [upName, upTensor] = tensors.get('up') ?? [];
  if (!downName || !downTensor || !upName || !upTensor) {
    const [[present]] = tensors.values();
    return fail(`has ${excerpt(present)} without the other matrix of its pair`);
  }
  if (layer >= config.numHiddenLayers)
    fail(`changes layer ${layer} of the text encoder; Stable Diffusion 1's has ${config.numHiddenLayers}`);
  const [rank, columns] = matrixShape(downName, downTensor, fail);
  const [rows, upRank] = matrixShape(upName, upTensor, fail);
  const [out, into] = expectedTensors(config).get(loraTarget({ layer, projection }))!;
  if (columns !== into || rows !== out)
    fail(
      `changes a matrix [${rows}, ${columns}] at ${excerpt(downName)}; expected [${out}, ${into}], as Stable Diffusion 1's encoder has it`,
    );
  if (rank !== upRank)
    fail(`has ${excerpt(downName)} of rank ${rank} and ${excerpt(upName)} of rank ${upRank}; expected the same`);

  const [alphaName, alphaTensor] = tensors.get('alpha') ?? [];
  let alpha = rank;
  if (alphaName && alphaTensor) {
    if (alphaTensor.shape.some((size) => size !== 1))
      fail(
        `has tensor ${excerpt(alphaName)} of shape ${shapeText(alphaTensor.shape.slice(0, 8))}; expected one number`,
      );
    [alpha] = await readScalar(alphaName, alphaTensor, fail, signal);
  }
  return {
    layer,
    projection,
    rank,
    down: await readFloats(downName, downTensor, fail, signal),
    up: await readFloats(upName, upTensor, fail, signal),
    alpha,
  };
}

/** Reads alpha, which some trainers store as a whole number. */
async function readScalar(
  name: string,
  tensor: StoredTensor,
  fail: (why: string) => never,
  signal?: AbortSignal,
): Promise<[number]> {
  if (tensor.dtype !== 'I64' && tensor.dtype !== 'I32') {
    const [value] = await readFloats(name, tensor, fail, signal);
    return [value];
  }
  const { buffer } = await tensor.read(signal);
  return [tensor.dtype === 'I64' ? Number(new BigInt64Array(buffer)[0]) : new Int32Array(buffer)[0]];
}

/**
 * Reads a LoRA's updates of the text encoder, in kohya's names (`lora_te_`, `lora_te1_`), PEFT's or Diffusers'. Other
 * tensors are counted. Throws LoraError if nothing in the file is a LoRA, if all of this encoder's part is of another
 * kind (DoRA, LoHa, …), and for updates that do not fit the encoder.
 */
export async function readLora(
  file: TensorFile,
  options: { readonly config?: ClipTextConfig; readonly signal?: AbortSignal } = {},
): Promise<Lora> {
  const { config = clipVitL14, signal } = options;
  const fail: (why: string) => never = (why) => {
    throw new LoraError(`"${file.source.name}" ${why}.`);
  };
  let unet = 0;
  let otherEncoders = 0;
  const unknown: string[] = [];
  const drafts = new Map<string, Draft>();
  for (const [name, tensor] of file.tensors) {
    const encoder = inEncoder.exec(name);
    const [, attention, mlp, end] = (encoder && inLayer.exec(name.slice(encoder[0].length))) ?? [];
    if (!encoder || !end) {
      if (inUnet.test(name)) unet++;
      else if (inOtherEncoder.test(name)) otherEncoders++;
      else if (!name.startsWith('bundle_emb.')) unknown.push(name);
      continue;
    }
    const layer = Number(encoder[1]);
    const projection = projectionOf[attention ?? mlp];
    const key = `${layer} ${projection}`;
    const draft: Draft = drafts.get(key) ?? { layer, projection, tensors: new Map(), others: new Map() };
    drafts.set(key, draft);
    const part = parts.find(([ending]) => ending.test(end))?.[1];
    if (part) {
      const twice = draft.tensors.get(part);
      if (twice) fail(`has two tensors for one matrix: ${excerpt(twice[0])} and ${excerpt(name)}`);
      draft.tensors.set(part, [name, tensor]);
      continue;
    }
    const kind = otherKinds.find(([ending]) => ending.test(end))?.[1];
    if (!kind) unknown.push(name);
    else listOf(draft.others, kind).push(name);
  }

  const order = Object.keys(projections);
  const unsupported = new Map<string, string[]>();
  const plain: Draft[] = [];
  for (const draft of drafts.values()) {
    const [kind] = draft.others.keys();
    const names = [...draft.tensors.values()].map(([name]) => name);
    if (kind) {
      listOf(unsupported, kind).push(...names, ...[...draft.others.values()].flat());
    } else if (draft.tensors.has('down') || draft.tensors.has('up')) plain.push(draft);
    else unknown.push(...names);
  }
  if (plain.length === 0 && unsupported.size > 0)
    fail(
      `changes the text encoder by ${[...unsupported.keys()].join(' and ')}, which cannot be applied yet; expected a plain LoRA`,
    );
  if (plain.length === 0 && unet === 0 && otherEncoders === 0)
    fail(
      file.tensors.size === 0 ? 'has no tensors' : `is not a LoRA: none of its ${file.tensors.size} tensors is one's`,
    );

  plain.sort((a, b) => a.layer - b.layer || order.indexOf(a.projection) - order.indexOf(b.projection));
  let values = 0;
  for (const { tensors } of plain) for (const [, { shape }] of tensors.values()) values += elementCount(shape);
  if (!(values <= mostValues)) fail(`has ${values} values for the text encoder; expected at most ${mostValues}`);
  const updates: LoraUpdate[] = [];
  for (const draft of plain) updates.push(await readUpdate(draft, config, fail, signal));
  return {
    name: file.source.name.replace(/\.[^.]*$/, ''),
    updates,
    leftOut: {
      unet,
      otherEncoders,
      unsupported: [...unsupported].map(([kind, names]) => ({ kind, names })),
      unknown,
    },
  };
}

/**
 * Opens a safetensors or PyTorch file and reads it as readLora does. Throws SafetensorsError and TorchFileError, too.
 */
export async function openLora(
  source: ByteSource,
  options: { readonly config?: ClipTextConfig; readonly signal?: AbortSignal } = {},
): Promise<Lora> {
  return readLora(await openTensorFile(source, options.signal), options);
}

const loraNames = /^(lora|lycoris)_|[._]lora[._](A|B|down|up|mid|linear_layer|magnitude)|[._](hada|lokr)_|dora_scale/;

/** Whether tensors are named like a LoRA's, of any kind and for any part of a model. */
export function hasLoraNames({ tensors }: Pick<TensorFile, 'tensors'>): boolean {
  return [...tensors.keys()].some((name) => loraNames.test(name));
}

/** Computes A·Aᵀ [rank, rank] of A [rank, n], whose rows and columns are the given distances apart. */
function gram(values: Float32Array, rank: number, rowStep: number, columnStep: number): Float64Array {
  const n = values.length / rank;
  const out = new Float64Array(rank * rank);
  for (let a = 0; a < rank; a++)
    for (let b = 0; b <= a; b++) {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += values[a * rowStep + i * columnStep] * values[b * rowStep + i * columnStep];
      out[a * rank + b] = sum;
      out[b * rank + a] = sum;
    }
  return out;
}

/** Computes the Frobenius norm ‖ΔW‖ by ‖up·down‖² = Σ (upᵀup)∘(down·downᵀ), which needs no [out, in] matrix. */
export function loraNorm({ rank, down, up, alpha }: LoraUpdate, multiplier: number): number {
  const ups = gram(up, rank, 1, rank);
  const downs = gram(down, rank, down.length / rank, 1);
  let sum = 0;
  for (let i = 0; i < ups.length; i++) sum += ups[i] * downs[i];
  // Rounding can make a sum of zero negative.
  return Math.abs(multiplier * (alpha / rank)) * Math.sqrt(Math.max(0, sum));
}

/** The size of a LoRA's change of one weight. */
export interface LoraEffect {
  readonly layer: number;
  readonly projection: Projection;
  /** ‖ΔW‖ */
  readonly delta: number;
  /** ‖W‖ */
  readonly weight: number;
  /** ‖ΔW‖ / ‖W‖; infinite if W is zero. */
  readonly relative: number;
}

/** Computes ‖ΔW‖/‖W‖ of each weight that a LoRA changes, with one weight in memory at a time. */
export async function loraEffects(
  { updates }: Lora,
  weights: WeightSource,
  options: {
    readonly multiplier: number;
    readonly signal?: AbortSignal;
    readonly onProgress?: (done: number, total: number) => void;
  },
): Promise<LoraEffect[]> {
  const { multiplier, signal, onProgress } = options;
  const effects: LoraEffect[] = [];
  for (const update of updates) {
    const { layer, projection } = update;
    const name = loraTarget(update);
    const values = toFloat32(await weights.read(name, signal), weights.tensor(name).dtype);
    let sum = 0;
    for (const w of values) sum += w * w;
    const [delta, weight] = [loraNorm(update, multiplier), Math.sqrt(sum)];
    effects.push({ layer, projection, delta, weight, relative: delta === 0 ? 0 : delta / weight });
    onProgress?.(effects.length, updates.length);
  }
  return effects;
}
