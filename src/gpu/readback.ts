import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderOutput, EncoderWant } from '../clip/encoderPass.ts';
import type { ReadySlot } from '../engine/backend.ts';
import { attentionsName, hiddenName } from '../engine/schedule.ts';
import type { BoundBuffers } from './activations.ts';
import type { Copy } from './submit.ts';

const hiddenNames = ({ hiddenStates }: EncoderWant) => ['lastHiddenState', ...hiddenStates.map(hiddenName)];

/** Lists what is to be copied from the GPU: for each slot its hidden states' rows, then its attentions whole. */
export function outputCopies(
  { all }: BoundBuffers,
  config: ClipTextConfig,
  want: EncoderWant,
  slots: readonly ReadySlot[],
): Copy[] {
  const { maxPositionEmbeddings: L, hiddenSize: d, numHiddenLayers: N, numAttentionHeads: h } = config;
  const attentions = want.attentions ? Array.from({ length: N }, (_, layer) => attentionsName(layer)) : [];
  return slots.flatMap(({ slot, ready }) => [
    ...hiddenNames(want).map((name) => ({ buffer: all.get(name)!, from: slot * L * d, elements: ready * d })),
    ...attentions.map((name) => ({ buffer: all.get(name)!, from: slot * h * L * L, elements: h * L * L })),
  ]);
}

/** Makes an output for each slot from `results`, which holds what `outputCopies` lists. Rows that are not ready are zeros. */
export function readOutputs(
  results: Float32Array,
  config: ClipTextConfig,
  want: EncoderWant,
  slots: readonly ReadySlot[],
): EncoderOutput[] {
  const { maxPositionEmbeddings: L, hiddenSize: d, numHiddenLayers: N, numAttentionHeads: h } = config;
  let from = 0;
  const take = (elements: number) => {
    from += elements;
    return results.subarray(from - elements, from);
  };
  return slots.map(({ ready }) => {
    const [lastHiddenState, ...states] = hiddenNames(want).map(() => {
      const state = new Float32Array(L * d);
      state.set(take(ready * d));
      return state;
    });
    const attentions = want.attentions ? new Float32Array(N * h * L * L) : undefined;
    // Rows of a head that are not ready still hold the probabilities of an earlier pass.
    for (let head = 0; attentions && head < N * h; head++)
      attentions.set(take(L * L).subarray(0, ready * L), head * L * L);
    return {
      lastHiddenState,
      hiddenStates: new Map(want.hiddenStates.map((index, n) => [index, states[n]])),
      attentions,
    };
  });
}
