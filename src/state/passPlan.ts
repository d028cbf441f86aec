import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderPass, EncoderWant } from '../clip/encoderPass.ts';
import { passKey } from '../clip/encoderPass.ts';
import type { Side } from '../prompt/side.ts';
import { type ClipSkip, clipSkipHiddenStates } from '../road/clipSkip.ts';
import type { PreparedPrompt } from '../road/preparedPrompt.ts';
import { distinct } from '../weighting/method.ts';
import type { MethodName } from '../weighting/methods.ts';
import { none } from '../weighting/none.ts';
import type { LoraUse } from '../worker/messages.ts';
import type { EncodedPass, Facts } from './facts.ts';
import { lorasKey } from './lorasKey.ts';
import { memoised } from './memoised.ts';
import { prepared, type ReadingFacts, shownChunk, usedLoras } from './reading.ts';

import { road } from './road.ts';
import { shownClipSkip, shownConfig } from './shownSizes.ts';

/** Names of the facts that `missingPasses` and `isNeeded` depend on: the compiler holds them to these. */
export const planFacts = [
  'prompts',
  'options',
  'side',
  'chunk',
  'tokenizer',
  'embeddings',
  'longReadings',
  'loras',
  'model',
  'needed',
  'encoded',
] as const satisfies readonly (keyof Facts)[];
export type PlanFacts = Pick<Facts, (typeof planFacts)[number]>;

/** The method whose conditioning is the encoder's own numbers, composed: what the others are compared with. */
export const unweightedMethod: MethodName = none.name;

const weightingPasses = () =>
  memoised((prepared: PreparedPrompt, method: MethodName) => {
    const { promptPasses } = road();
    return distinct([...promptPasses(prepared, method), ...promptPasses(prepared, unweightedMethod)]);
  });
const passesFor = { positive: weightingPasses(), negative: weightingPasses() };

/** The passes that the conditionings of a prompt are made of, weighted and without weights. */
export function ownPasses(facts: ReadingFacts, side: Side): readonly EncoderPass[] {
  const shown = prepared(facts, side);
  return shown ? passesFor[side](shown, facts.options.weighting) : [];
}

/** A view may still need passes of the model before, which has another length. */
const allPasses = memoised((own: readonly EncoderPass[], needed: Facts['needed'], L: number) =>
  distinct([...own, ...[...needed.values()].flat().filter(({ inputIds }) => inputIds.length === L)]),
);

/** The passes of the conditionings of the prompt on show, and then those that pictures need besides. */
function passesOf(facts: PlanFacts): readonly EncoderPass[] {
  return allPasses(ownPasses(facts, facts.side), facts.needed, shownConfig(facts).maxPositionEmbeddings);
}

const nothing: ReadonlyMap<string, EncodedPass> = new Map();

/** The outputs encoded with the LoRAs of now merged, by pass key. */
export function outputsOf(facts: ReadingFacts & Pick<Facts, 'loras' | 'encoded'>): ReadonlyMap<string, EncodedPass> {
  return facts.encoded.get(lorasKey(usedLoras(facts))) ?? nothing;
}

/** Whether a pass is encoded, with these hidden states. */
export function isEncoded(
  outputs: ReadonlyMap<string, EncodedPass>,
  pass: EncoderPass,
  hiddenStates: readonly number[],
): boolean {
  const output = outputs.get(passKey(pass))?.output;
  return output !== undefined && hiddenStates.every((index) => output.hiddenStates.has(index));
}

/** Passes that are still to be encoded, in one call of the encoder. */
export interface MissingPasses {
  readonly passes: readonly EncoderPass[];
  readonly want: EncoderWant;
  readonly loras: readonly LoraUse[];
  /** A text that differs where something else is missing. */
  readonly keys: string;
  /** How many passes of the prompt on show are missing, those of later calls included. */
  readonly total: number;
}

/**
 * The most passes of one call. A processor gains nothing by doing several at once, and what is typed meanwhile would have to wait
 * for all of them.
 */
export const mostPasses = ({ model }: Pick<Facts, 'model'>): number => (model?.engine.software ? 1 : 8);

/** Finds the next passes to encode: the chunk on show with all its states, then what else the weighting reads. Null when all are encoded. */
export function missingPasses(facts: PlanFacts): MissingPasses | null {
  const chunk = shownChunk(facts);
  if (!chunk) return null;
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

const findMissing = memoised(
  (
    pass: EncoderPass,
    passes: readonly EncoderPass[],
    skip: ClipSkip,
    outputs: ReadonlyMap<string, EncodedPass>,
    loras: readonly LoraUse[],
    config: ClipTextConfig,
    most: number,
  ): MissingPasses | null => {
    const hiddenStates = clipSkipHiddenStates(skip, config);
    const rest = passes.filter((other) => passKey(other) !== passKey(pass) && !isEncoded(outputs, other, hiddenStates));
    const missing = (passes: readonly EncoderPass[], want: EncoderWant, total: number): MissingPasses => ({
      passes,
      want,
      loras,
      total,
      keys: [lorasKey(loras), ...passes.map(passKey), ...want.hiddenStates, want.attentions].join(' '),
    });
    if (!outputs.get(passKey(pass))?.output.attentions) {
      const all = Array.from({ length: config.numHiddenLayers + 1 }, (_, i) => i);
      return missing([pass], { hiddenStates: all, attentions: true }, rest.length + 1);
    }
    return rest.length > 0 ? missing(rest.slice(0, most), { hiddenStates, attentions: false }, rest.length) : null;
  },
);

const chunkPasses = (facts: ReadingFacts, side: Side) => prepared(facts, side)?.chunks.map(({ pass }) => pass) ?? [];

/** All passes that the prompt on show is made of, the one on show first. */
function shownPasses(facts: PlanFacts): readonly EncoderPass[] {
  const chunk = shownChunk(facts);
  return chunk ? [chunk.pass, ...chunkPasses(facts, facts.side), ...passesOf(facts)] : [];
}

/** Keys of all passes that the prompt on show is made of. */
export function neededKeys(facts: PlanFacts): ReadonlySet<string> {
  return new Set(shownPasses(facts).map(passKey));
}

/** Whether the prompt on show waits for one of these passes with these LoRAs merged. */
export function isNeeded(facts: PlanFacts, { passes, loras }: Pick<MissingPasses, 'passes' | 'loras'>): boolean {
  const needed = neededKeys(facts);
  return lorasKey(loras) === lorasKey(usedLoras(facts)) && passes.some((pass) => needed.has(passKey(pass)));
}

/** Passes of both prompts whose rows the next edit will want, the most important first. */
export function editablePasses(facts: PlanFacts): readonly EncoderPass[] {
  const other = facts.side === 'positive' ? 'negative' : 'positive';
  return distinct([...shownPasses(facts), ...chunkPasses(facts, other), ...ownPasses(facts, other)]);
}
