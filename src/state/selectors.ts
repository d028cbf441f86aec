import { type ClipTextConfig, clipVitL14 } from '../clip/config.ts';
import { type EncoderPass, type EncoderWant, passKey } from '../clip/encoderPass.ts';
import { expectedTensors } from '../clip/weights.ts';
import { type WeightDtype, weightBytes } from '../files/dtypes.ts';
import { elementCount } from '../files/tensorFile.ts';
import type { RowSpan } from '../gpu/profile.ts';
import type { Embedding } from '../models/embeddingFile.ts';
import { keptSource } from '../models/library/modelSources.ts';
import type { StoredModel } from '../models/library/storage.ts';
import { type ClipSkip, clipSkip, clipSkipHiddenStates } from '../road/clipSkip.ts';
import { type ConditioningPlace, conditioningPlace } from '../road/conditioningPlace.ts';
import type { PromptOptions } from '../road/options.ts';
import type { PreparedChunk, PreparedPrompt, PreparedText } from '../road/pipeline.ts';
import type { PromptToken } from '../tokens/promptTokens.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { batchRatios } from '../weighting/a1111.ts';
import { distinct, type ZOf } from '../weighting/method.ts';
import { type MethodName, methods } from '../weighting/methods.ts';
import type { LoraUse, ModelInfo, ModelRequest } from '../worker/messages.ts';
import { type Download, type EncodedPass, type Facts, type Road, requestName } from './facts.ts';
import type { Side } from './remembered.ts';

/** Remembers the last result, as long as every argument is the same object as before. */
export function memoised<A extends readonly unknown[], R>(derive: (...args: A) => R): (...args: A) => R {
  let last: { args: A; result: R } | undefined;
  return (...args) => {
    if (!last || args.some((arg, i) => !Object.is(arg, last?.args[i]))) last = { args, result: derive(...args) };
    return last.result;
  };
}

const keys = new WeakMap<EncoderPass, string>();
export function keyOf(pass: EncoderPass): string {
  const key = keys.get(pass) ?? passKey(pass);
  keys.set(pass, key);
  return key;
}

/** Keeps the passes that a change of weights leaves as they were, so that nothing is derived from them again. */
function preparing(side: Side) {
  let before: readonly PreparedChunk[] = [];
  return memoised(
    (
      prompt: string,
      options: PromptOptions,
      tokenizer: Tokenizer,
      { preparePrompt }: Road,
      embeddings: readonly Embedding[],
    ): PreparedPrompt => {
      const now = preparePrompt(prompt, options, tokenizer, side, embeddings);
      const known = new Map(before.map(({ pass }) => [keyOf(pass), pass]));
      before = now.chunks.map((chunk) => ({ ...chunk, pass: known.get(keyOf(chunk.pass)) ?? chunk.pass }));
      return { ...now, chunks: before };
    },
  );
}

const fitting = memoised((embeddings: Facts['embeddings'], width: number) =>
  embeddings.filter(({ vectors }) => vectors[0].length === width),
);

/** The textual inversions of the width of the model in use. */
export function usedEmbeddings(facts: Facts): readonly Embedding[] {
  return fitting(facts.embeddings, shownConfig(facts).hiddenSize);
}

const prepare = { positive: preparing('positive'), negative: preparing('negative') };

/** Tokens, weights, masks and passes of a prompt; undefined until the tokenizer is loaded. */
export function prepared(facts: Facts, side: Side): PreparedPrompt | undefined {
  if (facts.tokenizer.phase !== 'ready') return undefined;
  const { tokenizer, road } = facts.tokenizer;
  return prepare[side](facts.prompts[side], facts.options, tokenizer, road, usedEmbeddings(facts));
}

const usesOf = memoised((named: PreparedPrompt['loras'], loras: Facts['loras']): readonly LoraUse[] =>
  named.flatMap(({ name, multiplier }) => {
    const info = loras.get(name)?.info;
    return info && info.effects.length > 0 && multiplier !== 0 ? [{ lora: info.lora, multiplier }] : [];
  }),
);

/**
 * The LoRAs that are merged, for both prompts: those that the positive prompt names and that are open. A1111 merges them
 * before it encodes either prompt, and takes them from the positive one.
 */
export function usedLoras(facts: Facts): readonly LoraUse[] {
  const positive = prepared(facts, 'positive');
  return positive ? usesOf(positive.loras, facts.loras) : [];
}

const usageOf = memoised(
  (uses: readonly LoraUse[], loras: Facts['loras']): ReadonlyMap<string, readonly number[]> =>
    new Map(
      [...loras].flatMap(([name, { info }]) => {
        const multipliers = uses.filter(({ lora }) => lora === info?.lora).map(({ multiplier }) => multiplier);
        return multipliers.length > 0 ? [[name, multipliers] as const] : [];
      }),
    ),
);

/** The multipliers with which each LoRA is merged, by its name; without those that are not. */
export const loraUsage = (facts: Facts): ReadonlyMap<string, readonly number[]> =>
  usageOf(usedLoras(facts), facts.loras);

const lorasKey = (uses: readonly LoraUse[]) =>
  uses.length > 0 ? `<${uses.map(({ lora, multiplier }) => `${lora}:${multiplier}`).join(' ')}>` : '';

/** Of what a pass is encoded to with these LoRAs merged. */
export const outputKey = (uses: readonly LoraUse[], pass: EncoderPass): string => lorasKey(uses) + keyOf(pass);

const outputsWith = memoised((encoded: Facts['encoded'], loras: string): ReadonlyMap<string, EncodedPass> => {
  const outputs = [...encoded].filter(([key]) => key.startsWith(loras) && (loras !== '' || !key.startsWith('<')));
  return new Map(outputs.map(([key, output]) => [key.slice(loras.length), output]));
});

/** What was encoded with the LoRAs of now merged, by pass key. */
function outputsOf(facts: Facts): ReadonlyMap<string, EncodedPass> {
  return outputsWith(facts.encoded, lorasKey(usedLoras(facts)));
}

/** Which chunk of the prompt on show the pictures show, within what it has. */
export function shownChunk(facts: Facts): PreparedChunk | undefined {
  const shown = prepared(facts, facts.side);
  return shown?.chunks[Math.min(facts.chunk, shown.chunks.length - 1)];
}

const lastWord = memoised(({ chunk, pass }: PreparedChunk): RowSpan | undefined => {
  if (!pass.causal) return undefined;
  const eos = chunk.tokens.findIndex(({ kind }) => kind === 'eos');
  return eos > 1 ? { first: eos - 1, end: eos + 1 } : undefined;
});

/**
 * What is computed anew of the chunk on show when its last token changes, the padding aside: that token and EOS. Undefined
 * where it has no word, and without a causal mask, where every row changes.
 */
export function editedRows(facts: Facts): RowSpan | undefined {
  const chunk = shownChunk(facts);
  return chunk && lastWord(chunk);
}

const weightingPasses = () =>
  memoised((prepared: PreparedPrompt, method: MethodName, { promptPasses }: Road) =>
    distinct([...promptPasses(prepared, method), ...promptPasses(prepared, unweightedMethod)]),
  );
const passesFor = { positive: weightingPasses(), negative: weightingPasses() };

/** The passes that the conditionings of a prompt are made of, weighted and without weights. */
function ownPasses(facts: Facts, side: Side): readonly EncoderPass[] {
  const shown = prepared(facts, side);
  if (!shown || facts.tokenizer.phase !== 'ready') return [];
  return passesFor[side](shown, facts.options.weighting, facts.tokenizer.road);
}

/** What the weighting reads, and then what else is needed. */
const allPasses = memoised((own: readonly EncoderPass[], needed: Facts['needed']) =>
  distinct([...own, ...[...needed.values()].flat()]),
);

function passesOf(facts: Facts): readonly EncoderPass[] {
  return allPasses(ownPasses(facts, facts.side), facts.needed);
}

/** What is still to be encoded, in one go. */
export interface MissingPasses {
  readonly passes: readonly EncoderPass[];
  readonly want: EncoderWant;
  readonly loras: readonly LoraUse[];
  /** Different where something else is missing. */
  readonly keys: string;
  /** Of the prompt on show, these and others. */
  readonly total: number;
}

/**
 * Passes of one go. A software adapter gains nothing by doing several at once, and what is typed meanwhile would have to wait
 * for all of them.
 */
function mostPasses({ adapter }: Facts): number {
  return adapter.phase === 'ready' && adapter.info.software ? 1 : 8;
}

/** The chunk on show, with all its states; when that is there, what else the weighting reads. Null where all is there. */
export function missingPasses(facts: Facts): MissingPasses | null {
  const shown = prepared(facts, facts.side);
  const chunk = shownChunk(facts);
  if (!shown || !chunk) return null;
  return findMissing(
    chunk.pass,
    passesOf(facts),
    shownClipSkip(facts),
    outputsOf(facts),
    usedLoras(facts),
    shownConfig(facts),
    mostPasses(facts),
  );
}

/** Whether a pass is encoded, with these hidden states. */
function holds(encoded: ReadonlyMap<string, EncodedPass>, pass: EncoderPass, hiddenStates: readonly number[]): boolean {
  const output = encoded.get(keyOf(pass))?.output;
  return output !== undefined && hiddenStates.every((index) => output.hiddenStates.has(index));
}

const findMissing = memoised(
  (
    pass: EncoderPass,
    passes: readonly EncoderPass[],
    skip: ClipSkip,
    encoded: ReadonlyMap<string, EncodedPass>,
    loras: readonly LoraUse[],
    config: ClipTextConfig,
    most: number,
  ): MissingPasses | null => {
    const hiddenStates = clipSkipHiddenStates(skip, config);
    const rest = passes.filter((other) => keyOf(other) !== keyOf(pass) && !holds(encoded, other, hiddenStates));
    const missing = (passes: readonly EncoderPass[], want: EncoderWant, total: number): MissingPasses => ({
      passes,
      want,
      loras,
      total,
      keys: [...passes.map((pass) => outputKey(loras, pass)), ...want.hiddenStates, want.attentions].join(' '),
    });
    if (!encoded.get(keyOf(pass))?.output.attentions) {
      const all = Array.from({ length: config.numHiddenLayers + 1 }, (_, i) => i);
      return missing([pass], { hiddenStates: all, attentions: true }, rest.length + 1);
    }
    return rest.length > 0 ? missing(rest.slice(0, most), { hiddenStates, attentions: false }, rest.length) : null;
  },
);

const chunkPasses = (facts: Facts, side: Side) => prepared(facts, side)?.chunks.map(({ pass }) => pass) ?? [];

/** All passes that the prompt on show is made of, the one on show first. */
function shownPasses(facts: Facts): readonly EncoderPass[] {
  const chunk = shownChunk(facts);
  return chunk ? [chunk.pass, ...chunkPasses(facts, facts.side), ...passesOf(facts)] : [];
}

/** Keys of all passes that the prompt on show is made of. */
export function neededKeys(facts: Facts): ReadonlySet<string> {
  const loras = usedLoras(facts);
  return new Set(shownPasses(facts).map((pass) => outputKey(loras, pass)));
}

/** Passes of both prompts whose rows the next edit will want, the most important first. */
export function editablePasses(facts: Facts): readonly EncoderPass[] {
  const other = facts.side === 'positive' ? 'negative' : 'positive';
  return distinct([...shownPasses(facts), ...chunkPasses(facts, other), ...ownPasses(facts, other)]);
}

/** A chunk with what the encoder made of it: what the pictures of attention and embeddings show. */
export interface EncodedChunk extends PreparedChunk, EncodedPass {
  readonly config: ClipTextConfig;
  readonly prepared: PreparedPrompt;
  /** How many rows are computed while the padding is not; null when all are. */
  readonly ready: number | null;
  /** [L, d] What weights act on: clip skip is applied. */
  readonly z: Float32Array;
}

const zOf = memoised((encoded: ReadonlyMap<string, EncodedPass>, skip: ClipSkip, model: ModelInfo): ZOf => {
  const known = new Map<string, Float32Array>();
  return (pass) => {
    const key = keyOf(pass);
    const z = known.get(key) ?? clipSkip(encoded.get(key)!.output, skip, model.config, model.finalLayerNorm);
    known.set(key, z);
    return z;
  };
});

/** What was encoded of these passes, clip skip applied; undefined while one of them is not. */
export function encodedZ(facts: Facts, passes: readonly EncoderPass[]): ZOf | undefined {
  if (!facts.model || encodedCount(facts, passes) < passes.length) return undefined;
  return zOf(outputsOf(facts), shownClipSkip(facts), facts.model);
}

/** How many of these passes are encoded, with what clip skip reads. */
export function encodedCount(facts: Facts, passes: readonly EncoderPass[]): number {
  if (!facts.model) return 0;
  const hiddenStates = clipSkipHiddenStates(shownClipSkip(facts), facts.model.config);
  const outputs = outputsOf(facts);
  return passes.filter((pass) => holds(outputs, pass, hiddenStates)).length;
}

const encodedChunk = memoised(
  (
    shown: PreparedPrompt,
    chunk: PreparedChunk,
    encoded: ReadonlyMap<string, EncodedPass>,
    skip: ClipSkip,
    model: ModelInfo,
    started: Facts['started'],
  ): EncodedChunk | undefined => {
    const whole = encoded.get(keyOf(chunk.pass));
    const { config, finalLayerNorm } = model;
    if (whole?.output.attentions)
      return { ...chunk, ...whole, config, prepared: shown, ready: null, z: zOf(encoded, skip, model)(chunk.pass) };
    if (!started?.output.attentions) return undefined;
    const z = clipSkip(started.output, skip, config, finalLayerNorm);
    return { ...chunk, ...started, config, prepared: shown, z };
  },
);

/** The chunk on show, encoded; undefined while it is not. */
export function shownEncoded(facts: Facts): EncodedChunk | undefined {
  const shown = prepared(facts, facts.side);
  const chunk = shownChunk(facts);
  if (!shown || !chunk || !facts.model) return undefined;
  const uses = usedLoras(facts);
  const started = facts.started?.key === outputKey(uses, chunk.pass) ? facts.started : null;
  return encodedChunk(shown, chunk, outputsOf(facts), shownClipSkip(facts), facts.model, started);
}

/** The method whose conditioning is the encoder's own numbers, composed: what the others are compared with. */
const unweightedMethod: MethodName = 'none';

/** The chunk on show before and after weighting: rows of its conditioning, or of its text by itself. */
export interface WeightedEncoding {
  readonly encoded: EncodedChunk;
  readonly method: MethodName;
  readonly place: ConditioningPlace;
  /** Whether the rows are those of the text by itself although its conditioning has others. */
  readonly isAlone: boolean;
  /** [L, d] The rows if every token weighed 1. */
  readonly before: Float32Array;
  /** [L, d] The rows as they are weighted; those of the conditioning are what the U-Net gets. */
  readonly after: Float32Array;
  /**
   * A1111's "Original": the factor of the whole chunk, and over how many texts at once its mean is taken. Null for any other
   * method, and for rows that are composed of several texts.
   */
  readonly meanRatio: { readonly ratio: number; readonly texts: number } | null;
}

/** Computes one of the prompt's conditionings, [77·n, d], as the road does. */
const conditioningBy = () =>
  memoised((conditioning: PreparedPrompt['conditionings'][number], z: ZOf, method: MethodName, road: Road) => {
    const [embeds] = road.promptEmbeds({ conditionings: [conditioning] }, z, method);
    return embeds;
  });
const weighted = conditioningBy();
const unweighted = conditioningBy();

const weightedAlone = memoised((text: PreparedText, method: MethodName, z: ZOf) =>
  methods[method].combine(text.weighted, z),
);

const weightedEncoding = memoised(
  (encoded: EncodedChunk, method: MethodName, textAlone: boolean, z: ZOf, road: Road): WeightedEncoding => {
    const { prepared, text, index } = encoded;
    const place = conditioningPlace(prepared, text, index);
    const { conditioning, chunk, isComposed } = place;
    const isAlone = isComposed && textAlone;
    const rowsAt = (embeds: Float32Array, chunk: number) =>
      embeds.subarray(chunk * encoded.z.length, (chunk + 1) * encoded.z.length);
    const composed = prepared.conditionings[conditioning];
    return {
      encoded,
      method,
      place,
      isAlone,
      // Rows that are not composed are z itself, and stay the same array when only weights change.
      before: isComposed && !isAlone ? rowsAt(unweighted(composed, z, unweightedMethod, road), chunk) : encoded.z,
      after: isAlone
        ? rowsAt(weightedAlone(prepared.texts[text], method, z), index)
        : rowsAt(weighted(composed, z, method, road), chunk),
      meanRatio: isComposed && !isAlone ? null : meanRatioOf(prepared.texts[text], index, method, z),
    };
  },
);

function meanRatioOf({ weighted }: PreparedText, chunk: number, method: MethodName, z: ZOf) {
  if (method !== 'original') return null;
  return { ratio: batchRatios(weighted, z)[chunk], texts: 1 + (weighted.batch?.length ?? 0) };
}

/** The chunk on show before and after weighting; undefined while not all that it takes is encoded. */
export function shownWeighted(facts: Facts): WeightedEncoding | undefined {
  const { options, side, textAlone, tokenizer } = facts;
  const encoded = shownEncoded(facts);
  const z = encoded && encodedZ(facts, ownPasses(facts, side));
  if (!encoded || !z || tokenizer.phase !== 'ready') return undefined;
  return weightedEncoding(encoded, options.weighting, textAlone, z, tokenizer.road);
}

/** Clip skip within what the model has. */
export function shownClipSkip(facts: Facts): ClipSkip {
  return Math.min(facts.options.clipSkip, shownConfig(facts).numHiddenLayers + 1);
}

/** [L] What a person calls each token: BOS, EOS, PAD, its text with bytes decoded, or a textual inversion and its vector's number. */
export const tokenLabels = memoised((tokens: readonly PromptToken[], tokenizer: Tokenizer): readonly string[] =>
  tokens.map((token) => tokenLabel(token, tokenizer)),
);

export function tokenLabel({ kind, id, text, vector }: PromptToken, tokenizer: Tokenizer): string {
  if (vector) return `${vector.name}·${vector.index + 1}`;
  if (kind !== 'text') return kind.toUpperCase();
  // Part of a character has no text of its own; the vocabulary's stand-ins for its bytes are all there is to show.
  const decoded = tokenizer.decode([id]).trim();
  return decoded === '' || decoded.includes('\ufffd') ? text.replace('</w>', '') : decoded;
}

/** Sizes of the model in use; before there is one, those of the model to come. */
export function shownConfig(facts: Facts) {
  return facts.model?.config ?? clipVitL14;
}

/** The layer and head on show, from 0, within what the model has. */
export function shownLayer(facts: Facts): number {
  return Math.min(facts.layer, shownConfig(facts).numHiddenLayers - 1);
}
export function shownHead(facts: Facts): number {
  return Math.min(facts.head, shownConfig(facts).numAttentionHeads - 1);
}

/** What messages call the model in use. */
export function modelName(facts: Facts): string {
  if (!facts.model) return '';
  return facts.model.random ? `${facts.model.name} (random weights)` : facts.model.name;
}

export interface EncoderStatus {
  readonly phase: 'idle' | 'busy' | 'ready' | 'failed';
  readonly text: string;
}

/** Whole milliseconds; tenths below ten. */
const milliseconds = (ms: number) => `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;

const since = memoised((..._: readonly unknown[]) => ({}));

/** Since when the prompts, the options and what is on show are what they are: after every change another object. */
export const occasion = ({ prompts, options, side, chunk }: Facts): object => since(prompts, options, side, chunk);

/** Nothing, where what is shown was there before that. */
function recomputed(facts: Facts, { stats, encodedFor }: EncodedChunk): string {
  const { rowsComputed, rowsTotal } = stats;
  if (encodedFor !== occasion(facts)) return `0 of ${rowsTotal} rows`;
  return `${rowsComputed} of ${rowsTotal} rows, ${milliseconds(stats.milliseconds)}`;
}

/** The one line that says how the encoder is doing. */
export function encoderStatus(facts: Facts): EncoderStatus {
  const { adapter, loading, lost, encodeFailure, model } = facts;
  if (adapter.phase === 'missing') return { phase: 'idle', text: 'No WebGPU: tokens, weights and masks only' };
  if (adapter.phase === 'starting') return { phase: 'busy', text: 'Looking for a GPU' };
  if (loading) {
    const { progress, request, isCancelled } = loading;
    if (isCancelled) return { phase: 'busy', text: `Cancelling the load of ${requestName(request)}` };
    // In steps of 5 %, so that a screen reader is not flooded.
    const percent = progress && progress.total > 0 ? ` ${Math.floor((progress.done / progress.total) * 20) * 5} %` : '';
    return { phase: 'busy', text: `Loading ${requestName(request)}${percent}` };
  }
  if (lost) return { phase: 'failed', text: `The GPU went away: ${lost}` };
  if (!model) return { phase: 'idle', text: 'No model loaded' };
  const shown = prepared(facts, facts.side);
  if (!shown) return { phase: 'busy', text: `${modelName(facts)} loaded` };
  const missing = missingPasses(facts);
  if (encodeFailure && encodeFailure.keys === missing?.keys)
    return { phase: 'failed', text: `Encoding failed: ${encodeFailure.message}` };
  if (missing) {
    const more = missing.total > 1 ? `, ${missing.total} passes to go` : '';
    return { phase: 'busy', text: `Encoding with ${modelName(facts)}${more}` };
  }
  const encoded = shownEncoded(facts);
  const cost = encoded ? `, recomputed ${recomputed(facts, encoded)}` : '';
  return { phase: 'ready', text: `Ready: ${modelName(facts)}${cost}` };
}

/** What can be chosen to encode with. */
export interface ModelChoice {
  readonly value: string;
  readonly label: string;
  readonly request: ModelRequest;
}

const synthetic: readonly ModelChoice[] = [
  { value: 'full', label: 'Synthetic, full size', request: { kind: 'synthetic', size: 'full' } },
  { value: 'tiny', label: 'Synthetic, tiny', request: { kind: 'synthetic', size: 'tiny' } },
];

function choiceValue(request: ModelRequest): string {
  if (request.kind === 'synthetic') return request.size;
  return request.kind === 'file' ? 'file' : `stored ${request.model}`;
}

const choices = memoised(
  (request: ModelRequest, file: File | null, stored: Facts['stored']): readonly ModelChoice[] => {
    const requests: ModelRequest[] = [];
    if (file) requests.push({ kind: 'file', file });
    for (const { id, name, complete } of stored?.models ?? [])
      if (complete) requests.push({ kind: 'stored', model: id, name });
    const names = new Set(stored?.models.map(({ name }) => name));
    const label = (request: ModelRequest) =>
      request.kind === 'file' && names.has(request.file.name)
        ? `${request.file.name} (from disk)`
        : requestName(request);
    const found = requests.map((request) => ({ value: choiceValue(request), label: label(request), request }));
    const all = [...synthetic, ...found];
    // Deleted, and still in use.
    if (!all.some(({ value }) => value === choiceValue(request)))
      all.push({ value: choiceValue(request), label: requestName(request), request });
    return all;
  },
);

const remembered = memoised(
  (syntheticSize: Facts['syntheticSize'], storedModel: Facts['storedModel']): ModelRequest =>
    storedModel ? { kind: 'stored', ...storedModel } : { kind: 'synthetic', size: syntheticSize },
);

/** What is being loaded, is in use, or will be loaded first. */
export const shownRequest = (facts: Facts) =>
  facts.loading?.request ?? facts.modelRequest ?? remembered(facts.syntheticSize, facts.storedModel);

export function modelChoices(facts: Facts): readonly ModelChoice[] {
  const request = shownRequest(facts);
  return choices(request, request.kind === 'file' ? request.file : facts.file, facts.stored);
}

/** The value of the choice that is in use or being loaded. */
export function modelChoice(facts: Facts): string {
  return choiceValue(shownRequest(facts));
}

/** Stored models apart from the parts whose downloads are shown as such; the newest first. */
export const listedModels = ({ stored, downloads, keeping }: Facts): readonly StoredModel[] =>
  listed(stored, downloads, keeping?.source);

const listed = memoised(
  (stored: Facts['stored'], downloads: Facts['downloads'], kept: string | undefined): readonly StoredModel[] => {
    const sources = new Set([...[...downloads.values()].map(({ file }) => file.urls[0]), kept]);
    return (stored?.models ?? []).filter(({ complete, source }) => complete || !sources.has(source));
  },
);

/** The stored model that is in use, or that the file in use was kept as; undefined if neither. */
export function keptModel({ modelRequest, weightsHash, stored }: Facts): StoredModel | undefined {
  if (!modelRequest || modelRequest.kind === 'synthetic' || weightsHash === null) return undefined;
  const source = modelRequest.kind === 'file' ? keptSource(modelRequest.file, weightsHash) : null;
  return stored?.models.find(
    (one) => one.complete && (modelRequest.kind === 'stored' ? one.id === modelRequest.model : one.source === source),
  );
}

/** The file in use, where it can be kept and is not; null while one is being kept, and where that failed. */
export function fileToKeep(facts: Facts): File | null {
  const { modelRequest, weightsHash, stored, keeping } = facts;
  if (modelRequest?.kind !== 'file' || weightsHash === null || !stored || stored.place === 'memory' || keptModel(facts))
    return null;
  return keeping && (!keeping.failure || keeping.file === modelRequest.file) ? null : modelRequest.file;
}

/** Bytes that the encoder in use takes as a file of its own; null where its weights are of several types. */
export const encoderBytes = ({ model }: Facts): number | null => (model ? bytesOfEncoder(model) : null);

const bytesOfEncoder = memoised(({ config, dtype }: ModelInfo): number | null => {
  if (!Object.hasOwn(weightBytes, dtype)) return null;
  const elements = [...expectedTensors(config).values()].reduce((sum, shape) => sum + elementCount(shape), 0);
  return elements * weightBytes[dtype as WeightDtype];
});

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

/** The one line that says how a download is doing. */
export function downloadText({ phase, progress }: Pick<Download, 'phase' | 'progress'>): string {
  if (!progress) return phase === 'running' ? 'Asking for the file' : '';
  const { done, total, verifying, bytesPerSecond } = progress;
  const parts = [`${megabytes(done)} of ${megabytes(total)} MB`];
  if (phase !== 'running') return parts[0];
  if (verifying) return `Checking ${parts[0]}`;
  if (bytesPerSecond !== undefined) {
    parts.push(`${megabytes(bytesPerSecond)} MB/s`);
    const seconds = (total - done) / bytesPerSecond;
    if (seconds >= 90 && seconds < 36_000) parts.push(`${Math.round(seconds / 60)} minutes left`);
    else if (seconds >= 2 && seconds < 90) parts.push(`${Math.round(seconds)} seconds left`);
  }
  return parts.join(' · ');
}
