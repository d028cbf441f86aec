import type { ClipTextConfig } from '../clip/config.ts';
import { type EncoderPass, passKey } from '../clip/encoderPass.ts';
import { mergedFinalLayerNorm } from '../models/loraDelta.ts';
import { type ClipSkip, clipSkip, clipSkipHiddenStates } from '../road/clipSkip.ts';
import { type ConditioningPlace, conditioningPlace } from '../road/conditioningPlace.ts';
import type { PreparedChunk, PreparedPrompt, PreparedText } from '../road/preparedPrompt.ts';
import { methodRows } from '../weighting/apply.ts';
import { outputOf } from '../weighting/derivedPass.ts';
import { type MeanChange, meanChange } from '../weighting/means.ts';
import type { ZOf } from '../weighting/method.ts';
import { type MethodName, methods } from '../weighting/methods.ts';
import type { LoraUse, ModelInfo } from '../worker/messages.ts';
import type { EncodedPass, Facts } from './facts.ts';
import { lorasKey } from './lorasKey.ts';
import { memoised } from './memoised.ts';
import { isEncoded, outputsOf, ownPasses, unweightedMethod } from './passPlan.ts';
import { prepared, shownChunk, usedLoras } from './reading.ts';
import { road } from './road.ts';
import { shownClipSkip } from './shownSizes.ts';

/** A chunk and its encoder output, which the pictures of attention and embeddings show. */
export interface EncodedChunk extends PreparedChunk, EncodedPass {
  readonly config: ClipTextConfig;
  readonly prepared: PreparedPrompt;
  /** How many rows are computed while the padding is not; null when all are. */
  readonly ready: number | null;
  /** [L, d] The rows that weights act on: clip skip is applied. */
  readonly z: Float32Array;
}

/** The model as clip skip reads it: with the LoRAs' updates of its final LayerNorm, if there are any. */
const mergedModel = memoised((model: ModelInfo, uses: readonly LoraUse[], opened: Facts['loras']): ModelInfo => {
  const infos = new Map([...opened.values()].flatMap(({ info }) => (info ? [[info.lora, info]] : [])));
  const loras = uses.map(({ lora, multiplier }) => ({ updates: infos.get(lora)?.finalNorm ?? [], multiplier }));
  if (loras.every(({ updates }) => updates.length === 0)) return model;
  return { ...model, finalLayerNorm: mergedFinalLayerNorm(model.finalLayerNorm, loras) };
});

const zOf = memoised((encoded: ReadonlyMap<string, EncodedPass>, skip: ClipSkip, model: ModelInfo): ZOf => {
  const known = new Map<string, Float32Array>();
  return (pass) => {
    const key = passKey(pass);
    const z = known.get(key) ?? clipSkip(encoded.get(key)!.output, skip, model.config, model.finalLayerNorm);
    known.set(key, z);
    return z;
  };
});

/** The model in use as clip skip reads it. */
export function mergedModelOf(facts: Facts): ModelInfo | null {
  return facts.model && mergedModel(facts.model, usedLoras(facts), facts.loras);
}

/** The outputs of these passes, clip skip applied; undefined while one of them is not encoded. */
export function encodedZ(facts: Facts, passes: readonly EncoderPass[]): ZOf | undefined {
  if (!facts.model || encodedCount(facts, passes) < passes.length) return undefined;
  return zOf(outputsOf(facts), shownClipSkip(facts), mergedModel(facts.model, usedLoras(facts), facts.loras));
}

/** How many of these passes are encoded, with what clip skip reads. */
export function encodedCount(facts: Facts, passes: readonly EncoderPass[]): number {
  if (!facts.model) return 0;
  const hiddenStates = clipSkipHiddenStates(shownClipSkip(facts), facts.model.config);
  const outputs = outputsOf(facts);
  return passes.filter((pass) => isEncoded(outputs, pass, hiddenStates)).length;
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
    const whole = encoded.get(passKey(chunk.pass));
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
  const { started } = facts;
  const isStarted = started?.key === passKey(chunk.pass) && started.loras === lorasKey(usedLoras(facts));
  const model = mergedModel(facts.model, usedLoras(facts), facts.loras);
  return encodedChunk(shown, chunk, outputsOf(facts), shownClipSkip(facts), model, isStarted ? started : null);
}

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
  /** The mean that the method restores in the chunk. Null for any other method, and for rows composed of several texts. */
  readonly mean: MeanChange | null;
}

/** Computes one of the prompt's conditionings as the road does, a chunk at a time: of a long prompt they fill 100 MB. */
const conditioningBy = () =>
  memoised((conditioning: PreparedPrompt['conditionings'][number], z: ZOf, method: MethodName) => {
    const [lazy] = road().promptConditionings({ conditionings: [conditioning] }, z, method);
    return lazy;
  });
/** One conditioning by a method, and by the method that applies no weights: the last of each is kept for all who ask. */
export const weightedConditioning = conditioningBy();
export const unweightedConditioning = conditioningBy();

const weightedEncoding = memoised(
  (encoded: EncodedChunk, method: MethodName, textAlone: boolean, z: ZOf): WeightedEncoding => {
    const { prepared, text, index } = encoded;
    const place = conditioningPlace(prepared, text, index);
    const { conditioning, chunk, isComposed } = place;
    const isAlone = isComposed && textAlone;
    const composed = prepared.conditionings[conditioning];
    return {
      encoded,
      method,
      place,
      isAlone,
      // Rows that are not composed are z itself, and stay the same array when only weights change.
      before:
        isComposed && !isAlone
          ? unweightedConditioning(composed, z, unweightedMethod).rowsOf(chunk)
          : outputOf(prepared.texts[text].weighted.chunks[index].pass, z),
      after: isAlone
        ? Float32Array.from(methodRows(methods[method], prepared.texts[text].weighted, z).rowsOf(index))
        : weightedConditioning(composed, z, method).rowsOf(chunk),
      mean: isComposed && !isAlone ? null : restoredMean(prepared.texts[text], index, method, z),
    };
  },
);

function restoredMean({ weighted }: PreparedText, chunk: number, method: MethodName, z: ZOf): MeanChange | null {
  return meanChange(methods[method].means?.(weighted) ?? [], chunk, z);
}

/** The chunk on show before and after weighting; undefined while not all that it takes is encoded. */
export function shownWeighted(facts: Facts): WeightedEncoding | undefined {
  const { options, side, textAlone } = facts;
  const encoded = shownEncoded(facts);
  const z = encoded && encodedZ(facts, ownPasses(facts, side));
  return encoded && z && weightedEncoding(encoded, options.weighting, textAlone, z);
}
