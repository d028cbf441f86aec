import type { EncoderPass } from '../../clip/encoderPass.ts';
import type { MergedLora } from '../../prompt/a1111/extraNetworks.ts';
import { holdExported, PromptBoundError } from '../../prompt/bounds.ts';
import type { Side } from '../../prompt/side.ts';
import { type Slices, whole } from '../../prompt/slices.ts';
import type { Syntax } from '../../prompt/syntax.ts';
import type { PromptToken } from '../../tokens/promptTokens.ts';
import { batchLength, passesRead, type WeightedPrompt, type ZOf } from '../../weighting/method.ts';
import { methods } from '../../weighting/methods.ts';
import { padded } from '../../weighting/rows.ts';
import { type Composition, fillerRowsOf, type LazyConditioning, stacking } from '../composition.ts';
import { type PromptOptions, writtenOptions } from '../options.ts';
import { promptConditionings } from '../pipeline.ts';
import type { PreparedPrompt } from '../preparedPrompt.ts';
import { padToEqual, stackParts } from './padding.ts';

/** Both prompts of a picture, and the options that they are encoded with. */
export interface ConditioningPair {
  readonly positive: PreparedPrompt;
  /** Null if there is no negative prompt (an empty one is not null). */
  readonly negative: PreparedPrompt | null;
  readonly options: PromptOptions;
}

/** The model that made the numbers. */
export interface ConditioningModel {
  readonly name: string;
  readonly random: boolean;
  /** Hash of the weights without LoRAs, made by weightsHash.ts. */
  readonly sha256?: string;
  /** The LoRAs that were merged, in order. */
  readonly loras?: readonly MergedLora[];
}

/** A textual inversion that a prompt names, and the number of its vectors there. */
export interface PromptEmbedding {
  readonly name: string;
  readonly vectors: number;
}

/** A row of a conditioning: a token of the prompt, or null if the row was added to complete the length. */
export type ConditioningRow = PromptToken | null;

export interface ConditioningTensor {
  /** `prompt_embeds`, `prompt_embeds.1` of an AND, `negative_prompt_embeds`, `attention_mask`, … */
  readonly name: string;
  readonly dtype: 'F32' | 'I64';
  /** [1, L·n, d]; for a mask [1, L·n]. L is 77, or as many as the encoder has positions. */
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
  /** [L·n] The token of each row; missing from masks. */
  readonly rows?: readonly ConditioningRow[];
}

/** Conditionings by side, or key masks as such of width 1, before or after they are made equally long. */
type Lengths = Readonly<Record<Side, readonly LazyConditioning[]>>;

/**
 * Stacks the parts of an AND as A1111 does, then completes positive and negative to one length as the program does. `emptyOf`
 * gives the chunks of the empty prompt; d is 1 for key masks.
 */
function equalled(
  { positive, negative }: Lengths,
  syntax: Syntax,
  emptyOf: (at: number) => Float32Array,
  d: number,
): Lengths {
  const equal = padToEqual([...stackParts(positive, d), ...negative], syntax, emptyOf);
  return { positive: equal.slice(0, positive.length), negative: equal.slice(positive.length) };
}

const emptyPrompt = ({ positive }: ConditioningPair): WeightedPrompt => positive.conditionings[0].composition.empty;

function ownConditionings({ positive, negative, options: { weighting } }: ConditioningPair, zOf: ZOf): Lengths {
  return {
    positive: promptConditionings(positive, zOf, weighting),
    negative: negative ? promptConditionings(negative, zOf, weighting) : [],
  };
}

const zeros: ZOf = ({ inputIds }) => new Float32Array(inputIds.length);

/** Says why the conditionings are not exported: made equally long they would be too long. Null where they are. */
export function exportRefusal(pair: ConditioningPair): string | null {
  const { positive, negative } = equalled(
    ownConditionings(pair, zeros),
    pair.options.syntax,
    () => new Float32Array(),
    1,
  );
  const count = [...positive, ...negative].reduce((sum, { n }) => sum + n, 0);
  try {
    holdExported(count, emptyPrompt(pair).empty.inputIds.length);
    return null;
  } catch (error) {
    if (error instanceof PromptBoundError) return error.message;
    throw error;
  }
}

/** Lists the passes that `exportConditioning` reads. */
export function exportPasses(pair: ConditioningPair): EncoderPass[] {
  return passesRead((zOf) => exportConditioning(pair, zOf));
}

/**
 * The conditionings as the program hands them to the sampler: positive and negative of one length, each part of an AND as a
 * tensor. If the mask hides keys, the key masks follow. `zOf` gives the encoder's output [L, d] of a pass, as for
 * `promptEmbeds`.
 */
export function exportConditioning(pair: ConditioningPair, zOf: ZOf): ConditioningTensor[] {
  return whole(exportingConditioning(pair, zOf));
}

/** Does the work of `exportConditioning` in slices. */
export function* exportingConditioning(pair: ConditioningPair, zOf: ZOf): Slices<ConditioningTensor[]> {
  const { options } = pair;
  const { syntax, weighting } = options;
  const empty = emptyPrompt(pair);
  const own = ownConditionings(pair, zOf);
  const d = own.positive[0].rowsOf(0).length / empty.empty.inputIds.length;
  const embeds = equalled(own, syntax, fillerRowsOf(methods[weighting], empty, zOf), d);
  const tensors: ConditioningTensor[] = [];
  for (const side of ['positive', 'negative'] as const)
    for (const [i, conditioning] of embeds[side].entries()) {
      yield;
      const data = yield* stacking(conditioning);
      const tokens = conditioningRows(pair[side]!, i);
      const rows = Array.from({ length: data.length / d }, (_, row) => tokens[row] ?? null);
      const name = tensorName(side, 'prompt_embeds', i, embeds[side].length);
      tensors.push({ name, dtype: 'F32', shape: [1, rows.length, d], data, rows });
    }
  yield;
  return options.mask === 'hf' || options.mask === 'lecture' ? [...tensors, ...maskTensors(pair, own)] : tensors;
}

/** The key masks of the conditionings, completed as they are. */
function maskTensors(pair: ConditioningPair, own: Lengths): ConditioningTensor[] {
  const emptyMask = Float32Array.from(emptyPrompt(pair).chunks[0].pass.keyMask);
  const L = emptyMask.length;
  const masksOf = (side: Side) =>
    own[side].map(({ n }, i): LazyConditioning => {
      const mask = keyMask(pair[side]!.conditionings[i].composition, emptyMask);
      const chunkAt = (at: number) => mask.subarray(at * L, (at + 1) * L);
      return { n, rowsOf: (at) => (at * L < mask.length ? chunkAt(at) : emptyMask) };
    });
  const masks = equalled(
    { positive: masksOf('positive'), negative: masksOf('negative') },
    pair.options.syntax,
    () => emptyMask,
    1,
  );
  return (['positive', 'negative'] as const).flatMap((side) =>
    masks[side].map((each, i): ConditioningTensor => {
      const mask = whole(stacking(each));
      const name = tensorName(side, 'attention_mask', i, masks[side].length);
      return { name, dtype: 'I64', shape: [1, mask.length], data: BigInt64Array.from(mask, BigInt) };
    }),
  );
}

function tensorName(side: Side, what: string, part: number, parts: number): string {
  return `${side === 'negative' ? 'negative_' : ''}${what}${parts > 1 ? `.${part}` : ''}`;
}

/** The shapes `exportConditioning` will have with a model of width `d`, before anything is encoded. */
export function exportShapes(pair: ConditioningPair, d: number): Omit<ConditioningTensor, 'data' | 'rows'>[] {
  return exportConditioning(pair, zeros).map(({ name, dtype, shape }) => ({
    name,
    dtype,
    shape: dtype === 'F32' ? [1, shape[1], d] : shape,
  }));
}

/** The key mask [L·n] of a conditioning; in a blend a key is visible if any of its prompts sees it. */
function keyMask({ parts }: Composition, emptyMask: Float32Array): Float32Array {
  return Float32Array.from(
    parts.flatMap(({ blend }) => {
      const masks = blend.prompts.map(({ chunks }) => chunks.flatMap(({ pass }) => [...pass.keyMask]));
      const length = Math.max(...masks.map((mask) => mask.length));
      const whole = masks.map((mask) => padded(mask, length, emptyMask));
      return Array.from({ length }, (_, row) => Math.max(...whole.map((mask) => mask[row])));
    }),
  );
}

/** The tokens of a conditioning, row by row; a blend has those of its first prompt. */
export function conditioningRows({ conditionings, texts }: PreparedPrompt, index: number): ConditioningRow[] {
  const promptsOf = ({ parts }: Composition) => parts.flatMap(({ blend }) => blend.prompts);
  let at = conditionings.slice(0, index).reduce((sum, { composition }) => sum + promptsOf(composition).length, 0);
  return conditionings[index].composition.parts.flatMap(({ blend }) => {
    const longest = Math.max(...blend.prompts.map(({ chunks }) => chunks.length));
    const first = texts[at];
    at += blend.prompts.length;
    // The parts that follow must stand where their rows do.
    const missing = (longest - first.chunks.length) * first.chunks[0].tokens.length;
    return [...first.chunks.flatMap(({ tokens }) => [...tokens]), ...Array<null>(missing).fill(null)];
  });
}

/** Whether every number is finite. */
export function allFinite(tensors: readonly ConditioningTensor[]): boolean {
  return whole(checkingFinite(tensors));
}

/** Numbers that are checked in one slice. */
const checkedAtOnce = 1 << 18;

/** Does the work of `allFinite` in slices. */
export function* checkingFinite(tensors: readonly ConditioningTensor[]): Slices<boolean> {
  for (const { data } of tensors) {
    if (data instanceof BigInt64Array) continue;
    for (let at = 0; at < data.length; at += checkedAtOnce) {
      yield;
      if (!data.subarray(at, at + checkedAtOnce).every(Number.isFinite)) return false;
    }
  }
  return true;
}

/** Diagnostics of weights with which no method comes to finite numbers. */
const endless: readonly string[] = ['blend-sum-zero', 'not-finite-weight'];

/** Gives what the prompts say of why numbers are not finite; null where it is for the method alone. */
export function whyNotFinite({ positive, negative }: Pick<ConditioningPair, 'positive' | 'negative'>): string | null {
  const diagnostics = [...positive.diagnostics, ...(negative?.diagnostics ?? [])];
  return diagnostics.find(({ code }) => endless.includes(code))?.message ?? null;
}

/** The one array of an .npy file: the parts of an AND are stacked, [parts, L·n, d]. */
export function promptEmbedsTensor(tensors: readonly ConditioningTensor[]): ConditioningTensor {
  const parts = tensors.filter(({ name }) => name.startsWith('prompt_embeds'));
  const [{ shape, data }] = parts;
  const whole = new Float32Array(data.length * parts.length);
  for (const [i, part] of parts.entries()) whole.set(part.data as Float32Array, i * data.length);
  return { name: 'prompt_embeds', dtype: 'F32', shape: [parts.length, ...shape.slice(1)], data: whole };
}

/** Entries with `prefix` before each name, so that one file can hold several prompts. */
export function prefixed<T>(entries: Readonly<Record<string, T>>, prefix: string): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).map(([name, value]) => [prefix + name, value]));
}

/** The textual inversions of a prompt, in the order in which it names them. */
export function promptEmbeddings({ texts }: PreparedPrompt): PromptEmbedding[] {
  const counts = new Map<string, number>();
  for (const { vector } of texts.flatMap(({ chunks, cut }) => [...chunks.flatMap(({ tokens }) => tokens), ...cut]))
    if (vector) counts.set(vector.name, Math.max(counts.get(vector.name) ?? 0, vector.index + 1));
  return Array.from(counts, ([name, vectors]) => ({ name, vectors }));
}

function vectorRows({ chunk: { tokens }, pass }: PreparedPrompt['chunks'][number]) {
  return [...(pass.vectors?.keys() ?? [])].map((row) => [row, tokens[row].vector!.name, tokens[row].vector!.index]);
}

const json = (value: unknown) => JSON.stringify(value);

/** Metadata of one side's prompt, as texts. Lists are JSON; lists of tokens are [n][L]. */
function promptMetadata(prepared: PreparedPrompt, side: Side): Record<string, string> {
  const { source, texts, chunks, conditionings, dynamic } = prepared;
  const typed = chunks.map(({ chunk }) => Array.from(chunk.perTokenWeights));
  const applied = texts.flatMap(({ weighted }) => weighted.chunks.map((chunk) => Array.from(chunk.perTokenWeights)));
  const masks = chunks.map(({ pass }) => Array.from(pass.keyMask));
  const embeddings = promptEmbeddings(prepared);
  const batchLengths = texts.map(({ weighted }) => batchLength(weighted));
  return prefixed(
    {
      prompt: source,
      // The text that ComfyUI's page hands on, where it is another.
      ...(dynamic && !dynamic.isAsTyped && { prompt_read: dynamic.text.text }),
      token_ids: json(chunks.map(({ chunk }) => Array.from(chunk.inputIds))),
      weights: json(typed),
      // Weights after normalisation.
      ...(json(applied) !== json(typed) && { applied_weights: json(applied) }),
      ...(masks.some((mask) => mask.includes(0)) && { key_masks: json(masks) }),
      /** [n] For each chunk its rows [row, name, vector] in which a vector replaces the id, which is 0 there. */
      ...(embeddings.length > 0 && { embeddings: json(embeddings), embedding_rows: json(chunks.map(vectorRows)) }),
      /** [n] The text that a chunk is of; [texts] what joins them, and how many texts of a schedule share its mean. */
      chunk_texts: json(chunks.map(({ text }) => text)),
      operators: json(texts.map(({ operator }) => operator)),
      batch_sizes: json(texts.map(({ weighted }) => 1 + (weighted.batch?.length ?? 0))),
      // [texts] The chunks that a text has once it is completed to as many as the longest text of its schedule.
      ...(texts.some(({ chunks }, i) => chunks.length < batchLengths[i]) && { batch_chunks: json(batchLengths) }),
      guidance_weights: json(conditionings.map(({ weight }) => weight)),
    },
    side === 'negative' ? 'negative_' : '',
  );
}

/** Metadata of an exported file: prompts, options, ids, weights and the model. */
export function exportMetadata(pair: ConditioningPair, model: ConditioningModel): Record<string, string> {
  const { positive, negative, options } = pair;
  return {
    clipscope: '1',
    ...promptMetadata(positive, 'positive'),
    ...(negative && promptMetadata(negative, 'negative')),
    model: model.name,
    ...(model.sha256 && { model_hash: model.sha256 }),
    ...(model.loras?.length && { loras: json(model.loras.map(({ name, multiplier }) => ({ name, multiplier }))) }),
    random_weights: String(model.random),
    ...writtenOptions(options),
  };
}

/** The textual inversions and LoRAs of a prompt, as its file's metadata names them; whatever else is there is left out. */
export function storedNetworks(
  metadata: ReadonlyMap<string, string>,
  prefix: string,
  side: Side,
): { readonly embeddings: readonly PromptEmbedding[]; readonly loras: readonly MergedLora[] } {
  const listed = <K extends string>(key: string, number: K) => {
    let list: unknown;
    try {
      list = JSON.parse(metadata.get(key) ?? '[]');
    } catch {
      return [];
    }
    const isOne = (entry: unknown): entry is { readonly name: string } & Readonly<Record<K, number>> => {
      const { name, [number]: count } = (entry ?? {}) as Record<string, unknown>;
      return typeof name === 'string' && typeof count === 'number';
    };
    return Array.isArray(list) ? list.filter(isOne) : [];
  };
  return {
    embeddings: listed(`${prefix}${side === 'negative' ? 'negative_' : ''}embeddings`, 'vectors'),
    loras: listed(`${prefix}loras`, 'multiplier'),
  };
}
