import { type ClipTextConfig, clipVitL14 } from '../clip/config.ts';
import { expectedTensors, type WeightSource } from '../clip/weights.ts';
import { toFloat32 } from '../files/dtypes.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import type { ByteSource } from '../files/sources.ts';
import { elementCount, excerpt, type TensorFile } from '../files/tensorFile.ts';
import type { LeftOut } from './leftOut.ts';
import { type Draft, type Fail, readUpdates } from './loraChanges.ts';
import { type LoraUpdate, loraNorm, norm } from './loraDelta.ts';
import { embedFlag, type Part, partOf, readLoraName, readNumberedName, unsupportedKind } from './loraNames.ts';
import { peftConfig } from './peftConfig.ts';
import { loraNames } from './tensorNames.ts';

/**
 * The file has no usable LoRA. The message is one sentence that names the file, what was expected and what is there.
 */
export class LoraError extends Error {
  override name = 'LoraError';
}

export interface Lora {
  /** The file's name without its ending. */
  readonly name: string;
  /** Another name that prompts call it by in A1111, from the file's `ss_output_name`. */
  readonly alias?: string;
  /** Updates in the order of the encoder. Empty if the LoRA changes none of its tensors. */
  readonly updates: readonly LoraUpdate[];
  readonly leftOut: LeftOut;
}

export interface LoraOptions {
  readonly config?: ClipTextConfig;
  /** Text of the `adapter_config.json` beside the file, in which PEFT keeps alpha. */
  readonly adapterConfig?: string;
  readonly signal?: AbortSignal;
}

/** Most float32 values of all updates together: 1 GB. A LoRA of rank 128 has some 60 MB. */
const mostValues = 1 << 28;

/** Returns the list under `key`; makes one if there is none. */
function listOf<T>(lists: Map<string, T[]>, key: string): T[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}

/** Sorts a file's tensors by what they are for. */
function draftsOf(file: TensorFile, { hiddenSize: d, intermediateSize: m }: ClipTextConfig, fail: Fail) {
  const counts = { unet: 0, otherEncoder: 0, unused: 0, bundled: 0 };
  const unknown: string[] = [];
  const drafts = new Map<string, Draft>();
  for (const [name, tensor] of file.tensors) {
    const read =
      file.metadata.get(name) === embedFlag
        ? ({ sort: 'bundled' } as const)
        : (readNumberedName(name, file.metadata.get('text_encoder')) ?? readLoraName(name));
    // Other encoders by OpenAI's names have other widths; LoRAs of this one by those names are not read.
    const isOwnWidth = tensor.shape.length < 2 || tensor.shape.some((size) => [d, m, 3 * d].includes(size));
    if (read.sort === 'unknown' || (read.sort === 'openai' && isOwnWidth)) unknown.push(name);
    else if (read.sort === 'openai') counts.otherEncoder++;
    else if (read.sort !== 'encoder') counts[read.sort]++;
    else {
      const { prefix, module, part: ending } = read;
      const key = `${prefix} ${module}`;
      const draft: Draft = drafts.get(key) ?? { prefix, module, parts: new Map(), unsupported: new Map(), unknown: [] };
      drafts.set(key, draft);
      const part = partOf(ending);
      const kind = unsupportedKind(ending);
      if (part) {
        const twice = draft.parts.get(part);
        if (twice) fail(`has two tensors for one matrix: ${excerpt(twice.name)} and ${excerpt(name)}`);
        draft.parts.set(part, { name, tensor });
      } else if (kind) listOf(draft.unsupported, kind).push(name);
      else draft.unknown.push(name);
    }
  }
  return { drafts: [...drafts.values()], counts, unknown };
}

/** Parts that make a change. Others, such as alpha, only say something about one. */
const changing: readonly Part[] = [
  ...(['down', 'up', 'upBias', 'embeddingDown', 'embeddingUp', 'loha1a', 'loha1b', 'loha2a', 'loha2b'] as const),
  ...(['lokr1', 'lokr1a', 'lokr1b', 'lokr2', 'lokr2a', 'lokr2b', 'onInput', 'ia3Whole', 'oftBlocks'] as const),
  ...(['oftDiagonal', 'oftUpper', 'gloraA1', 'difference', 'biasDifference', 'replacement'] as const),
];

const namesIn = ({ parts, unsupported, unknown }: Draft) => [
  ...[...parts.values()].map(({ name }) => name),
  ...[...unsupported.values()].flat(),
  ...unknown,
];

/** Whether a module's matrices, as far as their names say what shape they are, could be this encoder's. */
function couldFit({ module, parts }: Draft, expected: ReadonlyMap<string, readonly number[]>): boolean {
  const shape = expected.get(`${module}.weight`);
  if (!shape) return true;
  const [out, into = 1] = shape;
  const shapeOf = (part: Part) => parts.get(part)?.tensor.shape;
  const [down, up, whole] = [shapeOf('down'), shapeOf('up'), shapeOf('difference') ?? shapeOf('replacement')];
  if (down && up) return down[1] === into && up[0] === out;
  if (whole) return elementCount(whole) === out * into;
  const blocks = shapeOf('oftBlocks') ?? shapeOf('oftDiagonal');
  if (blocks) return blocks.at(-1)! * (blocks.at(-3) ?? 1) === out;
  const [b1, b2] = [shapeOf('gloraB1'), shapeOf('gloraB2')];
  if (b1 && b2) return (b1[0] === out && b2[1] === into) || (b2[0] === out && b1[1] === into);
  const [a, b] = [shapeOf('loha1a'), shapeOf('loha1b')];
  // With a core between them, the first is transposed.
  return !(a && b) || ((a[0] === out || a[1] === out) && b[1] === into);
}

/** Takes the drafts of another encoder out, where there are some of this one: they differ in prefix and in shape. */
function ownDrafts(drafts: readonly Draft[], config: ClipTextConfig): readonly Draft[] {
  const expected = expectedTensors(config);
  const misfits = new Set(drafts.filter((draft) => !couldFit(draft, expected)).map(({ prefix }) => prefix));
  const own = drafts.filter(({ prefix }) => !misfits.has(prefix));
  return own.length > 0 ? own : drafts;
}

/**
 * Reads the text encoder's part of a LoRA of any kind, whatever stands before its names: kohya's, PEFT's, Diffusers',
 * LyCORIS', ComfyUI's. The rest of the file is counted. Throws LoraError if nothing in it is a LoRA's, if all of this
 * encoder's part is of a kind that cannot be applied, and if a matrix does not fit the encoder.
 */
export async function readLora(file: TensorFile, options: LoraOptions = {}): Promise<Lora> {
  const { config = clipVitL14, signal } = options;
  const fail: Fail = (why) => {
    throw new LoraError(`"${file.source.name}" ${why}.`);
  };
  if (file.tensors.size === 0) fail('has no tensors');
  const { drafts, counts, unknown } = draftsOf(file, config, fail);
  const own = ownDrafts(drafts, config);
  const ownSet = new Set(own);
  let otherEncoders = counts.otherEncoder;
  for (const draft of drafts) if (!ownSet.has(draft)) otherEncoders += namesIn(draft).length;

  const peft = peftConfig(file.metadata, options.adapterConfig, fail);
  const unsupported = new Map<string, string[]>();
  const usable: Draft[] = [];
  for (const draft of own) {
    const [kind] =
      draft.parts.has('oftUpper') && !peft
        ? ['OFT of PEFT without its adapter_config.json']
        : [...draft.unsupported.keys()];
    // Without its other half, the part that is known would be another change.
    if (kind) listOf(unsupported, kind).push(...namesIn(draft));
    else if (changing.some((part) => draft.parts.has(part))) {
      usable.push(draft);
      unknown.push(...draft.unknown);
    } else unknown.push(...namesIn(draft));
  }
  if (usable.length === 0 && unsupported.size > 0)
    fail(`changes the text encoder by ${[...unsupported.keys()].join(' and ')}, which cannot be applied`);
  if (usable.length === 0 && counts.unet + otherEncoders + counts.bundled + counts.unused === 0)
    fail(
      hasLoraNames(file)
        ? `has no tensor that is known to change a text encoder or an image model, such as ${excerpt(unknown[0])}`
        : `is not recognised as a LoRA: none of its ${file.tensors.size} tensors is named like one's, such as ${excerpt(unknown[0])}`,
    );
  checkValues(usable, file.source.size, fail);
  const modules = new Set<string>();
  for (const draft of usable) {
    if (modules.has(draft.module)) fail(`changes ${excerpt(draft.module)} twice, under two prefixes`);
    modules.add(draft.module);
  }

  const updates: LoraUpdate[] = [];
  for (const draft of usable) updates.push(...(await readUpdates(draft, { config, peft, fail, signal })));
  const order = new Map([...expectedTensors(config).keys()].map((name, i) => [name, i]));
  updates.sort((a, b) => order.get(a.target)! - order.get(b.target)!);
  const alias = file.metadata.get('ss_output_name');
  return {
    name: file.source.name.replace(/\.[^.]*$/, ''),
    // A1111 has a dash for a colon, which would end the name in a prompt.
    ...(alias && { alias: alias.replaceAll(':', '-') }),
    updates,
    leftOut: {
      unet: counts.unet,
      otherEncoders,
      unused: counts.unused,
      unsupported: [...unsupported].map(([kind, names]) => ({ kind, names })),
      unknown,
      ...(!peft && usable.some(needsSettings) && { lacksSettings: true as const }),
    },
  };
}

/** Whether PEFT wrote a module's matrices, whose alpha stands in its settings. */
const needsSettings = ({ prefix, parts }: Draft) =>
  /(^|\.)base_model\.model\./.test(prefix) &&
  !parts.has('alpha') &&
  (['down', 'embeddingDown', 'loha1a', 'lokr1', 'lokr1a'] as const).some((part) => parts.has(part));

/** Bounds what is read: tensors of a small PyTorch file may share their bytes, and so come to more than it has. */
function checkValues(drafts: readonly Draft[], fileBytes: number, fail: Fail): void {
  let values = 0;
  let bytes = 0;
  for (const { parts } of drafts)
    for (const { tensor } of parts.values()) {
      values += elementCount(tensor.shape);
      bytes += tensor.bytes;
    }
  if (!(values <= mostValues)) fail(`has ${values} values for the text encoder; expected at most ${mostValues}`);
  if (bytes > fileBytes) fail(`has tensors of ${bytes} bytes for the text encoder in a file of ${fileBytes}`);
}

/**
 * Opens a safetensors or PyTorch file and reads it as readLora does. Throws SafetensorsError and TorchFileError, too.
 */
export async function openLora(source: ByteSource, options: LoraOptions = {}): Promise<Lora> {
  return readLora(await openTensorFile(source, options.signal), options);
}

/** Names of the kinds of changes that are no adapter's own. */
const changeNames: Readonly<Record<string, string>> = {
  difference: 'whole differences',
  replacement: 'whole weights',
};

/** Lists the ranks of a LoRA's updates, ascending, and the kinds of its changes. */
export function describeLora({ updates }: Lora): {
  readonly ranks: readonly number[];
  readonly kinds: readonly string[];
} {
  const ranks = updates.flatMap(({ change }) => (change.kind === 'LoRA' ? [change.rank] : []));
  const kinds = updates.map(({ change, magnitude }) => {
    const name = changeNames[change.kind] ?? change.kind;
    return magnitude ? (name === 'LoRA' ? 'DoRA' : `${name} with DoRA`) : name;
  });
  return { ranks: [...new Set(ranks)].sort((a, b) => a - b), kinds: [...new Set(kinds)] };
}

/** Whether tensors are named like a LoRA's, of any kind and for any part of a model. */
export function hasLoraNames({ tensors }: Pick<TensorFile, 'tensors'>): boolean {
  return [...tensors.keys()].some((name) => loraNames.test(name));
}

/** The size of a LoRA's change of one weight. */
export interface LoraEffect {
  /** Hugging Face name of the tensor. */
  readonly target: string;
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
    const { target } = update;
    const values = toFloat32(await weights.read(target, signal), weights.tensor(target).dtype);
    const [delta, weight] = [loraNorm(update, multiplier, values), norm(values)];
    effects.push({ target, delta, weight, relative: delta === 0 ? 0 : delta / weight });
    onProgress?.(effects.length, updates.length);
  }
  return effects;
}
