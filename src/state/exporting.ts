import type { EncoderPass } from '../clip/encode.ts';
import { compareConditioning } from '../weighting/compareConditioning.ts';
import type { StoredConditioning } from '../weighting/conditioningFile.ts';
import {
  type ConditioningPair,
  type ConditioningTensor,
  exportConditioning,
  exportMetadata,
  exportPasses,
  exportShapes,
} from '../weighting/exportConditioning.ts';
import type { ZOf } from '../weighting/method.ts';
import type { PromptOptions } from '../weighting/options.ts';
import type { PreparedPrompt } from '../weighting/pipeline.ts';
import type { ModelInfo } from '../worker/messages.ts';
import { type Facts, sides } from './facts.ts';
import { encodedZ, memoised, prepared, shownConfig, tokenLabel } from './selectors.ts';
import { shared, writeShared } from './shared.ts';

const pairOf = memoised(
  (positive: PreparedPrompt, negative: PreparedPrompt, options: PromptOptions): ConditioningPair => ({
    positive,
    negative,
    options,
  }),
);

/** Both prompts, as they are exported; undefined until the tokenizer is loaded. */
export function exportedPair(facts: Facts): ConditioningPair | undefined {
  const [positive, negative] = sides.map((side) => prepared(facts, side));
  return positive && negative && pairOf(positive, negative, facts.options);
}

const passesOf = memoised(exportPasses);
const shapesOf = memoised(exportShapes);
const nothing: readonly EncoderPass[] = [];

/** What has to be encoded for it. */
export function exportedPasses(facts: Facts): readonly EncoderPass[] {
  const pair = exportedPair(facts);
  return pair ? passesOf(pair) : nothing;
}

/** How many of those are. */
export function exportedCount(facts: Facts): number {
  return exportedPasses(facts).filter((pass) => encodedZ(facts, [pass])).length;
}

/** What an exported file will hold. */
export function exportedShapes(facts: Facts) {
  const pair = exportedPair(facts);
  return pair && shapesOf(pair, shownConfig(facts).hiddenSize);
}

const tensorsOf = memoised((pair: ConditioningPair, z: ZOf) => exportConditioning(pair, z));

/** Undefined while not all of it is encoded. */
export function exportedTensors(facts: Facts): readonly ConditioningTensor[] | undefined {
  const pair = exportedPair(facts);
  const z = pair && encodedZ(facts, passesOf(pair));
  return pair && z && tensorsOf(pair, z);
}

const metadataOf = memoised((pair: ConditioningPair, { name, random, sha256 }: ModelInfo) =>
  exportMetadata(pair, { name, random, sha256 }),
);

export function exportedMetadata(facts: Facts): Readonly<Record<string, string>> | undefined {
  const pair = exportedPair(facts);
  return pair && facts.model ? metadataOf(pair, facts.model) : undefined;
}

/** Why `check.py` cannot recompute what is exported, in one sentence; null where it can. */
export function whyUnchecked({ options, positive, negative }: ConditioningPair): string | null {
  const { weighting, mask } = options;
  if (weighting !== 'none' && weighting !== 'scale' && weighting !== 'original' && weighting !== 'comfy')
    return 'It recomputes Ignore, No norm, Original and ComfyUI, not the weighting chosen now.';
  if (mask === 'none') return 'It cannot recompute what is encoded without a mask.';
  if ([...positive.chunks, ...(negative?.chunks ?? [])].some(({ pass }) => pass.vectors))
    return 'It does not recompute textual inversions.';
  const texts = [...positive.texts, ...(negative?.texts ?? [])];
  if (texts.some(({ operator }) => operator === 'and' || operator === 'blend'))
    return 'It does not recompute Compel’s .and() and .blend().';
  if (weighting === 'original' && texts.some(({ weighted }) => weighted.batch?.length))
    return 'It does not recompute “Original” where the texts of a schedule share a mean.';
  return null;
}

const compared = memoised((stored: StoredConditioning, own: readonly ConditioningTensor[]) =>
  compareConditioning(stored, own),
);

/** The one of the opened file at an index, minus the one here; undefined while that is not encoded. */
export function shownComparison(facts: Facts, index: number) {
  const stored = facts.compared?.conditionings[index];
  const own = exportedTensors(facts);
  return stored && own && compared(stored, own);
}

/**
 * JSON: what a saved prompt holds, and so opens as one, with both prompts' tokens, chunk by chunk, and the model's name and
 * hash.
 */
export function writeSession(facts: Facts): string {
  if (facts.tokenizer.phase !== 'ready') return writeShared(shared(facts), 2);
  const { tokenizer } = facts.tokenizer;
  const tokens = sides.map((side) => [
    side,
    prepared(facts, side)?.chunks.map(({ chunk, text, index }) => ({
      text,
      index,
      tokens: chunk.tokens
        .filter(({ kind }) => kind !== 'pad')
        .map((token) => ({ id: token.id, token: tokenLabel(token, tokenizer), weight: token.weight })),
    })),
  ]);
  const { model } = facts;
  return JSON.stringify(
    {
      ...JSON.parse(writeShared(shared(facts))),
      model: model && { name: model.name, sha256: model.sha256, random: model.random },
      tokens: Object.fromEntries(tokens),
    },
    null,
    2,
  );
}
