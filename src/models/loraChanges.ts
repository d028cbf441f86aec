/** Reads the changes that a LoRA's file has for one module of the encoder, whatever their kind. */

import type { ClipTextConfig } from '../clip/config.ts';
import { expectedTensors, tokenEmbeddingName } from '../clip/weights.ts';
import { readFloats } from '../files/floatTensor.ts';
import { elementCount, excerpt, type StoredTensor, shapeText } from '../files/tensorFile.ts';
import { type Factors, type LoraChange, type LoraUpdate, type Magnitude, type Matrix, product } from './loraDelta.ts';
import type { Part } from './loraNames.ts';
import {
  type Axis,
  butterfly,
  cayley,
  inOrder,
  limited,
  limitedBlocks,
  neumann,
  skewed,
  skewFromUpper,
  type Turn,
  transposedBlocks,
} from './loraTurns.ts';
import type { PeftConfig } from './peftConfig.ts';

/** Higher ranks are no LoRA's: a matrix of the encoder has a rank of 768. */
const highestRank = 4096;
/** Largest blocks of OFT, which are inverted, and cores: both take time with the third power of their size. */
const largestBlock = 512;
/** Most terms of PEFT's series for an inverse, of which it uses five. */
const mostTerms = 16;

export type Fail = (why: string) => never;

/** A tensor of the file by its name. */
export interface Named {
  readonly name: string;
  readonly tensor: StoredTensor;
}

/** The tensors for one module of the encoder. */
export interface Draft {
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

/** Multiplies the right matrix by a core [r, r], where there is one (Tucker's decomposition of a matrix). */
async function withCore({ left, right }: Factors, core: Named | undefined, reading: Reading): Promise<Factors> {
  if (!core) return { left, right };
  const values = await readMatrix(core, reading);
  checkProduct(core, [values.rows, values.columns], [left.columns, right.rows], reading.fail);
  if (values.rows > largestBlock)
    reading.fail(`has a core ${excerpt(core.name)} of rank ${values.rows}; expected at most ${largestBlock}`);
  const { rows, columns } = right;
  return { left, right: { rows, columns, values: Float32Array.from(product({ left: values, right })) } };
}

/**
 * Reads two matrices a, b whose product has `shape`. With a core t [r, r] between them LyCORIS keeps a as [r, out], and the
 * product is aᵀ · t · b.
 */
async function readCored(
  [a, b, core]: readonly (Named | undefined)[],
  shape: readonly number[] | null,
  reading: Reading,
): Promise<Factors> {
  if (!core) return readFactors(a, b, shape, reading);
  const { fail } = reading;
  if (!a || !b) return fail(`has ${excerpt(core.name)} without the matrices beside it`);
  const [left, right] = [transposed(await readMatrix(a, reading)), await readMatrix(b, reading)];
  if (shape) checkProduct(b, [left.rows, right.columns], shape, fail);
  return withCore({ left, right }, core, reading);
}

/** A change, and the rank that its alpha is divided by; null for a kind without a rank, whose scale is 1. */
interface RankedChange {
  readonly change: LoraChange;
  readonly rank: number | null;
}

/** Reads LoKr's left or right matrix, which may be a product itself; it is no larger than the weight [out, in]. */
async function kroneckerPart(
  [whole, ...parts]: readonly (Named | undefined)[],
  [out, into]: readonly number[],
  reading: Reading,
): Promise<{ readonly matrix: Matrix; readonly rank: number | null } | null> {
  if (whole) return { matrix: await readMatrix(whole, reading), rank: null };
  if (!parts.some(Boolean)) return null;
  const factors = await readCored(parts, null, reading);
  const { left, right } = factors;
  // A small file must not have a matrix made that is larger than the weight.
  if (left.rows > out || right.columns > into)
    checkProduct(parts.find((part) => part !== undefined)!, [left.rows, right.columns], [out, into], reading.fail);
  return {
    matrix: { rows: left.rows, columns: right.columns, values: Float32Array.from(product(factors)) },
    rank: left.columns,
  };
}

/** Reads the change of a module's weight. Null if there is none. */
async function readChange(draft: Draft, shape: readonly number[], reading: Reading): Promise<RankedChange | null> {
  const { fail } = reading;
  const part = (name: Part) => draft.parts.get(name);
  if (part('down') || part('up')) {
    const factors = await readFactors(part('up'), part('down'), shape, reading);
    return { change: lowRank(await withCore(factors, part('mid'), reading)), rank: factors.left.columns };
  }
  if (part('embeddingDown') || part('embeddingUp')) {
    // PEFT keeps both as they act on one-hot columns: A is [r, V], B [d, r].
    const { left, right } = await readFactors(part('embeddingUp'), part('embeddingDown'), shape.toReversed(), reading);
    return { change: lowRank({ left: transposed(right), right: transposed(left) }), rank: left.columns };
  }
  if (part('loha1a') || part('loha2a')) {
    const first = await readCored([part('loha1a'), part('loha1b'), part('loha1t')], shape, reading);
    const second = await readCored([part('loha2a'), part('loha2b'), part('loha2t')], shape, reading);
    return { change: { kind: 'LoHa', first, second }, rank: first.left.columns };
  }
  const left = await kroneckerPart([part('lokr1'), part('lokr1a'), part('lokr1b')], shape, reading);
  const right = await kroneckerPart([part('lokr2'), part('lokr2a'), part('lokr2b'), part('lokr2t')], shape, reading);
  if (left || right) {
    const [first] = draft.parts.values();
    if (!left || !right) return fail(`has ${excerpt(first.name)} without the other matrix of its Kronecker product`);
    const [rows, columns] = [left.matrix.rows * right.matrix.rows, left.matrix.columns * right.matrix.columns];
    checkProduct(first, [rows, columns], shape, fail);
    return { change: { kind: 'LoKr', left: left.matrix, right: right.matrix }, rank: right.rank ?? left.rank };
  }
  if (part('gloraA1')) return readGlora(draft, shape, reading);
  const change =
    (await readTurns(draft, shape, reading)) ??
    (await readTurnsOfPeft(draft, shape, reading)) ??
    (await readScaling(draft, shape, reading)) ??
    (await readWhole(draft, shape, reading));
  return change && { change, rank: null };
}

/**
 * Reads LyCORIS' GLoRA. Its versions differ in which matrix is which, and the shapes tell, by ComfyUI's rule:
 * W · a1 · a2 + b1 · b2, or in the older ones, as A1111 reads it, W · a2 · a1 + b2 · b1.
 */
async function readGlora(
  { parts }: Draft,
  [out, into]: readonly number[],
  reading: Reading,
): Promise<RankedChange | null> {
  const [a1, a2, b1, b2] = (['gloraA1', 'gloraA2', 'gloraB1', 'gloraB2'] as const).map((part) => parts.get(part));
  const isOld = b1?.tensor.shape[1] === into && b2?.tensor.shape[0] === out;
  const ofWeight = isOld
    ? await readFactors(a2, a1, [into, into], reading)
    : await readFactors(a1, a2, [into, into], reading);
  const added = isOld
    ? await readFactors(b2, b1, [out, into], reading)
    : await readFactors(b1, b2, [out, into], reading);
  return { change: { kind: 'GLoRA', ofWeight, added }, rank: ofWeight.left.columns };
}

/**
 * Reads OFT and BOFT of LyCORIS and kohya: blocks A [count, n, n] for (I + Q)(I − Q)⁻¹ with Q = A − Aᵀ, of several turns
 * [turns, count, n, n]. alpha bounds the norm of Q, times the number of rows, as in LyCORIS, kohya and A1111; ComfyUI leaves
 * the number out. `oft_diag` of older versions is taken for the orthogonal matrices themselves, as A1111 does.
 */
async function readTurns(
  { parts }: Draft,
  [out]: readonly number[],
  reading: Reading,
): Promise<Extract<LoraChange, { kind: 'OFT' }> | null> {
  const { fail, signal } = reading;
  const [blocks, matrices] = [parts.get('oftBlocks'), parts.get('oftDiagonal')];
  const named = blocks ?? matrices;
  if (!named) return null;
  const { shape } = named.tensor;
  const [size, other, count] = shape.toReversed();
  const turnCount = shape.length === 4 ? shape[0] : 1;
  const isWhole = size === other && size * count === out && (shape.length === 3 || shape.length === 4);
  if (!isWhole || (shape.length === 4 && (size % 2 === 1 || out % (2 ** (turnCount - 1) * size) !== 0)))
    return fail(
      `has blocks ${excerpt(named.name)} of shape ${shapeText(shape.slice(0, 8))}, which do not fit ${out} rows`,
    );
  if (size > largestBlock)
    return fail(`has blocks ${excerpt(named.name)} of ${size} rows; expected at most ${largestBlock}`);
  const values = await readFloats(named.name, named.tensor, fail, signal);
  const alpha = parts.get('alpha');
  const limit = alpha && blocks ? (await readScalar(alpha, reading)) * out : 0;
  const orthogonal = blocks ? cayley(limited(skewed(values, size), limit), size) : Float64Array.from(values);
  const turns = Array.from({ length: turnCount }, (_, level): Turn => {
    const own = orthogonal.subarray(level * out * size, (level + 1) * out * size);
    return shape.length === 4
      ? { size, matrices: own, order: butterfly(out, size, level) }
      : { size, matrices: transposedBlocks(own, size), order: inOrder(out) };
  });
  const rescale = parts.get('rescale');
  if (rescale) checkCount(rescale, out, fail);
  return {
    kind: 'OFT',
    turns,
    along: 'rows',
    rescale: rescale ? await readFloats(rescale.name, rescale.tensor, fail, signal) : null,
  };
}

/**
 * Reads OFT of PEFT 0.16 and later: rows [blocks, n · (n − 1) / 2] of the elements above the diagonal of Q, for orthogonal
 * matrices that turn columns; one block is shared by all. PEFT's exact inverse has the other sign than its series.
 */
async function readTurnsOfPeft(
  { parts }: Draft,
  [, into]: readonly number[],
  { fail, signal, peft }: Reading,
): Promise<Extract<LoraChange, { kind: 'OFT' }> | null> {
  const named = parts.get('oftUpper');
  if (!named || !peft) return null;
  const { shape } = named.tensor;
  const [count, elements] = shape;
  const size = (1 + Math.sqrt(1 + 8 * elements)) / 2;
  const blocks = into / size;
  if (shape.length !== 2 || !Number.isInteger(blocks) || (count !== blocks && count !== 1) || size > largestBlock)
    return fail(
      `has blocks ${excerpt(named.name)} of shape ${shapeText(shape.slice(0, 8))}, which do not fit ${into} columns`,
    );
  const { terms, bound } = peft.oft;
  if (terms !== null && !(Number.isInteger(terms) && terms >= 1 && terms <= mostTerms))
    return fail(`has settings of PEFT with ${terms} terms of a series; expected 1 to ${mostTerms}`);
  const skew = skewFromUpper(await readFloats(named.name, named.tensor, fail, signal), size);
  const limitedSkew = bound === null ? skew : limitedBlocks(skew, size, bound);
  const matrices =
    terms === null
      ? cayley(
          limitedSkew.map((value) => -value),
          size,
        )
      : neumann(limitedSkew, size, terms);
  return { kind: 'OFT', turns: [{ size, matrices, order: inOrder(into) }], along: 'columns', rescale: null };
}

/** Reads factors of rows or columns: A1111's of LyCORIS' IA³ are added to 1, PEFT's take its place. */
async function readScaling(
  { parts }: Draft,
  [out, into]: readonly number[],
  reading: Reading,
): Promise<Extract<LoraChange, { kind: 'IA³' }> | null> {
  const { fail, signal } = reading;
  const [added, onInput, whole] = (['ia3', 'onInput', 'ia3Whole'] as const).map((part) => parts.get(part));
  const factorsOf = async (named: Named, along: Axis) => {
    checkCount(named, along === 'rows' ? out : into, fail);
    return readFloats(named.name, named.tensor, fail, signal);
  };
  if (added && onInput) {
    const along: Axis = (await readScalar(onInput, reading)) ? 'columns' : 'rows';
    return { kind: 'IA³', factors: await factorsOf(added, along), along };
  }
  if (!whole) return null;
  // PEFT keeps [out, 1], and [1, in] for a feed-forward layer.
  const along: Axis = whole.tensor.shape[0] === 1 ? 'columns' : 'rows';
  return { kind: 'IA³', factors: (await factorsOf(whole, along)).map((factor) => factor - 1), along };
}

/** Reads a whole difference, or whole values. */
async function readWhole(
  { parts }: Draft,
  shape: readonly number[],
  { fail, signal }: Reading,
): Promise<LoraChange | null> {
  for (const kind of ['difference', 'replacement'] as const) {
    const named = parts.get(kind);
    if (!named) continue;
    checkCount(named, elementCount(shape), fail);
    return { kind, values: await readFloats(named.name, named.tensor, fail, signal) };
  }
  return null;
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
export async function readUpdates(draft: Draft, reading: Reading): Promise<LoraUpdate[]> {
  const { module, parts } = draft;
  const { config, fail, signal } = reading;
  const layer = /\.layers\.(\d+)\./.exec(module)?.[1];
  if (layer && Number(layer) >= config.numHiddenLayers)
    fail(`changes layer ${layer} of the text encoder; Stable Diffusion 1's has ${config.numHiddenLayers}`);
  const expected = expectedTensors(config);
  const updates: LoraUpdate[] = [];
  const target = `${module}.weight`;
  const shape = expected.get(target)!;
  const read = await readChange(draft, shape, reading);
  if (read && target === tokenEmbeddingName && isOfWholeTable(read.change, parts.get('norms')))
    fail(`changes the token embedding by ${read.change.kind} as a whole, which cannot be applied`);
  const scale = await readScale(draft, read, reading);
  if (read)
    updates.push({
      target,
      scale,
      change: read.change,
      magnitude: await readMagnitude(parts.get('norms'), shape, reading),
    });
  const biasTarget = `${module}.bias`;
  const biasShape = expected.get(biasTarget);
  for (const name of ['biasDifference', 'upBias'] as const) {
    const bias = parts.get(name);
    if (!bias) continue;
    if (!biasShape) return fail(`changes a bias that the encoder does not have: ${excerpt(bias.name)}`);
    checkCount(bias, elementCount(biasShape), fail);
    const values = await readFloats(bias.name, bias.tensor, fail, signal);
    updates.push({
      target: biasTarget,
      scale: name === 'upBias' ? scale : 1,
      change: { kind: 'difference', values },
      magnitude: null,
    });
  }
  // PEFT's IA³ scales what the layer puts out, its bias included.
  if (parts.has('ia3Whole') && biasShape && read?.change.kind === 'IA³' && read.change.along === 'rows')
    updates.push({ target: biasTarget, scale, change: read.change, magnitude: null });
  return updates;
}

/** Reads the factor of a change: the file's own, or alpha / r, which stands in a tensor or in PEFT's settings. */
async function readScale({ module, parts }: Draft, read: RankedChange | null, reading: Reading): Promise<number> {
  const [alpha, own] = [parts.get('alpha'), parts.get('scale')];
  // Alpha of OFT is a bound.
  if (read?.change.kind === 'OFT') return 1;
  if (own) return readScalar(own, reading);
  const rank = read?.rank ?? null;
  const settings = reading.peft?.scale(module, rank) ?? 1;
  if (read?.change.kind === 'LoKr' && rank === null && !alpha) return settings;
  if (rank === null) return 1;
  return alpha ? (await readScalar(alpha, reading)) / rank : settings;
}

/** Whether a change of the token embedding cannot be computed for one row alone, as encoding needs it. */
function isOfWholeTable(change: LoraChange, norms: Named | undefined): boolean {
  return (
    change.kind === 'LoKr' ||
    change.kind === 'OFT' ||
    (norms !== undefined && norms.tensor.shape.length === 2 && norms.tensor.shape[1] !== 1)
  );
}
