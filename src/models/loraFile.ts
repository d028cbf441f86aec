import { type ClipTextConfig, clipVitL14 } from '../clip/config.ts';
import { expectedTensors, tokenEmbeddingName, type WeightSource } from '../clip/weights.ts';
import { toFloat32 } from '../files/dtypes.ts';
import { readFloats } from '../files/floatTensor.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import type { ByteSource } from '../files/sources.ts';
import { elementCount, excerpt, type StoredTensor, shapeText, type TensorFile } from '../files/tensorFile.ts';
import type { LeftOut } from './leftOut.ts';
import {
  type Axis,
  type Factors,
  type LoraChange,
  type LoraUpdate,
  loraNorm,
  type Magnitude,
  type Matrix,
  norm,
  product,
} from './loraDelta.ts';
import { type Part, partOf, readLoraName, unsupportedKind } from './loraNames.ts';
import { type PeftConfig, peftConfig } from './peftConfig.ts';
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

/** Most float32 values of all updates together: 1 GB. A LoRA of rank 128 has some 60 MB. */
const mostValues = 1 << 28;
/** Higher ranks are no LoRA's: a matrix of the encoder has a rank of 768. */
const highestRank = 4096;

type Fail = (why: string) => never;

/** A tensor of the file by its name. */
interface Named {
  readonly name: string;
  readonly tensor: StoredTensor;
}

/** The tensors for one module of the encoder. */
interface Draft {
  readonly prefix: string;
  readonly module: string;
  readonly parts: Map<Part, Named>;
  /** Names of tensors by the kind that cannot be applied. */
  readonly unsupported: Map<string, string[]>;
  /** Names of tensors that no kind is known to have. */
  readonly unknown: string[];
}

/** Everything that the change of a module is read with. */
interface Reading {
  readonly config: ClipTextConfig;
  readonly peft: PeftConfig | null;
  readonly fail: Fail;
  readonly signal?: AbortSignal;
}

/** Returns the list under `key`; makes one if there is none. */
function listOf<T>(lists: Map<string, T[]>, key: string): T[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}

/** Returns [r, in] for a matrix [r, in], or for [r, in, 1, 1] in a convolution's shape. */
function matrixShape({ name, tensor: { shape } }: Named, fail: Fail): [number, number] {
  const [rows, columns, ...kernel] = shape;
  if (shape.length < 2 || shape.length > 4 || kernel.some((size) => size !== 1) || rows < 1 || columns < 1)
    fail(`has tensor ${excerpt(name)} of shape ${shapeText(shape.slice(0, 8))}, which is not a matrix`);
  return [rows, columns];
}

async function readMatrix(named: Named, { fail, signal }: Reading): Promise<Matrix> {
  const [rows, columns] = matrixShape(named, fail);
  return { rows, columns, values: await readFloats(named.name, named.tensor, fail, signal) };
}

/** Reads one number. Some trainers keep alpha as a whole number. */
async function readScalar({ name, tensor }: Named, { fail, signal }: Reading): Promise<number> {
  if (tensor.shape.some((size) => size !== 1))
    fail(`has tensor ${excerpt(name)} of shape ${shapeText(tensor.shape.slice(0, 8))}; expected one number`);
  const { dtype } = tensor;
  if (dtype !== 'I64' && dtype !== 'I32' && dtype !== 'BOOL' && dtype !== 'U8')
    return (await readFloats(name, tensor, fail, signal))[0];
  const { buffer } = await tensor.read(signal);
  if (dtype === 'I64') return Number(new BigInt64Array(buffer)[0]);
  return dtype === 'I32' ? new Int32Array(buffer)[0] : new Uint8Array(buffer)[0];
}

/** Checks that `named` multiplies `by` and makes a matrix of this shape. */
function checkProduct(
  named: Named,
  [rows, columns]: readonly [number, number],
  [out, into]: readonly number[],
  fail: Fail,
): void {
  if (columns !== into || rows !== out)
    fail(
      `changes a matrix [${rows}, ${columns}] at ${excerpt(named.name)}; expected [${out}, ${into}], as Stable Diffusion 1's encoder has it`,
    );
}

/** Reads two matrices whose product has `shape`; if `shape` is null, every product is accepted. */
async function readFactors(
  left: Named | undefined,
  right: Named | undefined,
  shape: readonly number[] | null,
  reading: Reading,
): Promise<Factors> {
  const { fail } = reading;
  if (!left || !right) return fail(`has ${excerpt((left ?? right)!.name)} without the other matrix of its pair`);
  const [rank, columns] = matrixShape(right, fail);
  const [rows, leftRank] = matrixShape(left, fail);
  if (shape) checkProduct(right, [rows, columns], shape, fail);
  if (rank !== leftRank)
    fail(`has ${excerpt(right.name)} of rank ${rank} and ${excerpt(left.name)} of rank ${leftRank}; expected the same`);
  if (rank > highestRank) fail(`has ${excerpt(right.name)} of rank ${rank}; expected at most ${highestRank}`);
  return { left: await readMatrix(left, reading), right: await readMatrix(right, reading) };
}

function transposed({ rows, columns, values }: Matrix): Matrix {
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) out[column * rows + row] = values[row * columns + column];
  return { rows: columns, columns: rows, values: out };
}

const lowRank = ({ left, right }: Factors): LoraChange => ({
  kind: 'LoRA',
  rank: left.columns,
  up: left.values,
  down: right.values,
});

/** A change, and the rank that its alpha is divided by; null for a kind without a rank, whose scale is 1. */
interface RankedChange {
  readonly change: LoraChange;
  readonly rank: number | null;
}

/** Reads LoKr's left or right matrix, which may be a product itself. */
async function kroneckerPart(
  [whole, a, b]: readonly (Named | undefined)[],
  reading: Reading,
): Promise<{ readonly matrix: Matrix; readonly rank: number | null } | null> {
  if (whole) return { matrix: await readMatrix(whole, reading), rank: null };
  if (!a && !b) return null;
  const factors = await readFactors(a, b, null, reading);
  const { left, right } = factors;
  return {
    matrix: { rows: left.rows, columns: right.columns, values: Float32Array.from(product(factors)) },
    rank: left.columns,
  };
}

/** Reads the change of a module's weight. Null if there is none. */
async function readChange({ parts }: Draft, shape: readonly number[], reading: Reading): Promise<RankedChange | null> {
  const { fail, signal } = reading;
  const part = (name: Part) => parts.get(name);
  if (part('down') || part('up')) {
    const factors = await readFactors(part('up'), part('down'), shape, reading);
    return { change: lowRank(factors), rank: factors.left.columns };
  }
  if (part('embeddingDown') || part('embeddingUp')) {
    // PEFT keeps both as they act on one-hot columns: A is [r, V], B [d, r].
    const { left, right } = await readFactors(part('embeddingUp'), part('embeddingDown'), shape.toReversed(), reading);
    return { change: lowRank({ left: transposed(right), right: transposed(left) }), rank: left.columns };
  }
  if (part('loha1a') || part('loha2a')) {
    const first = await readFactors(part('loha1a'), part('loha1b'), shape, reading);
    const second = await readFactors(part('loha2a'), part('loha2b'), shape, reading);
    return { change: { kind: 'LoHa', first, second }, rank: first.left.columns };
  }
  const left = await kroneckerPart([part('lokr1'), part('lokr1a'), part('lokr1b')], reading);
  const right = await kroneckerPart([part('lokr2'), part('lokr2a'), part('lokr2b')], reading);
  if (left || right) {
    const [{ name }] = parts.values();
    if (!left || !right) return fail(`has ${excerpt(name)} without the other matrix of its Kronecker product`);
    const [rows, columns] = [left.matrix.rows * right.matrix.rows, left.matrix.columns * right.matrix.columns];
    checkProduct({ name, tensor: parts.values().next().value!.tensor }, [rows, columns], shape, fail);
    return { change: { kind: 'LoKr', left: left.matrix, right: right.matrix }, rank: right.rank ?? left.rank };
  }
  const [ia3, onInput] = [part('ia3'), part('onInput')];
  if (ia3 && onInput) {
    const along: Axis = (await readScalar(onInput, reading)) ? 'columns' : 'rows';
    const factors = await readFloats(ia3.name, ia3.tensor, fail, signal);
    checkCount(ia3, along === 'rows' ? shape[0] : shape[1], fail);
    return { change: { kind: 'IA³', factors, along }, rank: null };
  }
  const difference = part('difference');
  if (!difference) return null;
  checkCount(difference, elementCount(shape), fail);
  return {
    change: { kind: 'difference', values: await readFloats(difference.name, difference.tensor, fail, signal) },
    rank: null,
  };
}

function checkCount({ name, tensor }: Named, count: number, fail: Fail): void {
  if (elementCount(tensor.shape) !== count)
    fail(
      `has tensor ${excerpt(name)} of shape ${shapeText(tensor.shape.slice(0, 8))}; expected ${count} numbers, as Stable Diffusion 1's encoder has them`,
    );
}

/** Reads DoRA's norms: of rows [out, 1] or [out] as PEFT has them, of columns [1, in]. */
async function readMagnitude(
  named: Named | undefined,
  [out, into]: readonly number[],
  { fail, signal }: Reading,
): Promise<Magnitude | null> {
  if (!named) return null;
  const { name, tensor } = named;
  const along: Axis =
    tensor.shape.length < 2 || (tensor.shape[0] === out && tensor.shape[1] === 1) ? 'rows' : 'columns';
  checkCount(named, along === 'rows' ? out : into, fail);
  return { norms: await readFloats(name, tensor, fail, signal), along };
}

/** Reads the changes of a module's weight and bias. */
async function readUpdates(draft: Draft, reading: Reading): Promise<LoraUpdate[]> {
  const { module, parts } = draft;
  const { config, fail, signal, peft } = reading;
  const layer = /\.layers\.(\d+)\./.exec(module)?.[1];
  if (layer && Number(layer) >= config.numHiddenLayers)
    fail(`changes layer ${layer} of the text encoder; Stable Diffusion 1's has ${config.numHiddenLayers}`);
  const expected = expectedTensors(config);
  const updates: LoraUpdate[] = [];
  const target = `${module}.weight`;
  const shape = expected.get(target)!;
  const read = await readChange(draft, shape, reading);
  const [alpha, own] = [parts.get('alpha'), parts.get('scale')];
  const scaleOf = async (rank: number | null) => {
    if (own) return readScalar(own, reading);
    if (rank === null) return 1;
    return alpha ? (await readScalar(alpha, reading)) / rank : (peft?.scale(module, rank) ?? 1);
  };
  const scale = await scaleOf(read?.rank ?? null);
  if (read && target === tokenEmbeddingName && isOfWholeTable(read.change, parts.get('norms')))
    fail(`changes the token embedding by ${read.change.kind} as a whole, which cannot be applied`);
  if (read)
    updates.push({
      target,
      scale,
      change: read.change,
      magnitude: await readMagnitude(parts.get('norms'), shape, reading),
    });
  for (const name of ['biasDifference', 'upBias'] as const) {
    const bias = parts.get(name);
    if (!bias) continue;
    const biasTarget = `${module}.bias`;
    const biasShape =
      expected.get(biasTarget) ?? fail(`changes a bias that the encoder does not have: ${excerpt(bias.name)}`);
    checkCount(bias, elementCount(biasShape), fail);
    const values = await readFloats(bias.name, bias.tensor, fail, signal);
    updates.push({
      target: biasTarget,
      scale: name === 'upBias' ? scale : 1,
      change: { kind: 'difference', values },
      magnitude: null,
    });
  }
  return updates;
}

/** Whether a change of the token embedding cannot be computed for one row alone, as encoding needs it. */
function isOfWholeTable(change: LoraChange, norms: Named | undefined): boolean {
  return (
    change.kind === 'LoKr' || (norms !== undefined && norms.tensor.shape.length === 2 && norms.tensor.shape[1] !== 1)
  );
}

/** Sorts a file's tensors by what they are for. */
function draftsOf(file: TensorFile, fail: Fail) {
  const counts = { unet: 0, otherEncoder: 0, unused: 0, bundled: 0 };
  const unknown: string[] = [];
  const drafts = new Map<string, Draft>();
  for (const [name, tensor] of file.tensors) {
    const read = readLoraName(name);
    if (read.sort === 'unknown') unknown.push(name);
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
  ...(['lokr1', 'lokr1a', 'lokr1b', 'lokr2', 'lokr2a', 'lokr2b', 'onInput', 'difference', 'biasDifference'] as const),
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
  const [down, up, difference] = (['down', 'up', 'difference'] as const).map((part) => parts.get(part)?.tensor.shape);
  if (down && up) return down[1] === into && up[0] === out;
  if (difference) return elementCount(difference) === out * into;
  const [a, b] = (['loha1a', 'loha1b'] as const).map((part) => parts.get(part)?.tensor.shape);
  return !(a && b) || (a[0] === out && b[1] === into);
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
export async function readLora(
  file: TensorFile,
  options: { readonly config?: ClipTextConfig; readonly signal?: AbortSignal } = {},
): Promise<Lora> {
  const { config = clipVitL14, signal } = options;
  const fail: Fail = (why) => {
    throw new LoraError(`"${file.source.name}" ${why}.`);
  };
  if (file.tensors.size === 0) fail('has no tensors');
  const { drafts, counts, unknown } = draftsOf(file, fail);
  const own = ownDrafts(drafts, config);
  const ownSet = new Set(own);
  let otherEncoders = counts.otherEncoder;
  for (const draft of drafts) if (!ownSet.has(draft)) otherEncoders += namesIn(draft).length;

  const unsupported = new Map<string, string[]>();
  const usable: Draft[] = [];
  for (const draft of own) {
    const [kind] = draft.unsupported.keys();
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
        ? `has no tensor that is known to change a text encoder or a U-Net, such as ${excerpt(unknown[0])}`
        : `is not a LoRA: none of its ${file.tensors.size} tensors is named like one's, such as ${excerpt(unknown[0])}`,
    );
  checkValues(usable, file.source.size, fail);
  const modules = new Set<string>();
  for (const draft of usable) {
    if (modules.has(draft.module)) fail(`changes ${excerpt(draft.module)} twice, under two prefixes`);
    modules.add(draft.module);
  }

  const peft = peftConfig(file.metadata);
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
    },
  };
}

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
export async function openLora(
  source: ByteSource,
  options: { readonly config?: ClipTextConfig; readonly signal?: AbortSignal } = {},
): Promise<Lora> {
  return readLora(await openTensorFile(source, options.signal), options);
}

/** Lists the ranks of a LoRA's updates, ascending, and the kinds of its changes. */
export function describeLora({ updates }: Lora): {
  readonly ranks: readonly number[];
  readonly kinds: readonly string[];
} {
  const ranks = updates.flatMap(({ change }) => (change.kind === 'LoRA' ? [change.rank] : []));
  const kinds = updates.map(({ change, magnitude }) => {
    const name = change.kind === 'difference' ? 'whole differences' : change.kind;
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
