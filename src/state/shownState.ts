import type { EncodedState } from '../analyses/stateComparison.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { methods } from '../weighting/methods.ts';
import { shownWeighted, type WeightedEncoding } from './encoded.ts';
import { modelName } from './encoderStatus.ts';
import type { Facts } from './facts.ts';
import { memoised } from './memoised.ts';
import { tokenizerOf, tokenLabels } from './tokenLabels.ts';

const stateOf = memoised(
  (weighted: WeightedEncoding, model: string, options: Facts['options'], tokenizer: Tokenizer): EncodedState => {
    const { encoded, before, after, method } = weighted;
    const { output, chunk, pass, config, prepared } = encoded;
    const skip = options.clipSkip > 1 ? `, clip skip ${options.clipSkip}` : '';
    const { source } = prepared;
    return {
      name: `“${source.length > 60 ? `${source.slice(0, 59)}…` : source}”, ${methods[method].label}, mask ${options.mask}${skip}, ${model}`,
      ids: pass.inputIds,
      labels: tokenLabels(chunk.tokens, tokenizer),
      d: config.hiddenSize,
      states: Array.from({ length: config.numHiddenLayers + 1 }, (_, state) => output.hiddenStates.get(state)!),
      rows: before,
      weighted: after,
    };
  },
);

/** The chunk on show with its states, for a comparison; undefined until all its rows are encoded and weighted. */
export function shownState(facts: Facts): EncodedState | undefined {
  const weighted = shownWeighted(facts);
  const tokenizer = tokenizerOf(facts);
  if (!weighted || weighted.encoded.ready !== null || !tokenizer) return undefined;
  return stateOf(weighted, modelName(facts), facts.options, tokenizer);
}
