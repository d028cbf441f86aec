import { type ClipTextConfig, clipVitL14 } from '../clip/config.ts';
import type { ClipSkip } from '../road/clipSkip.ts';
import type { Facts } from './facts.ts';

/** Sizes of the model in use; before there is one, those of the model to come. */
export function shownConfig({ model }: Pick<Facts, 'model'>): ClipTextConfig {
  return model?.config ?? clipVitL14;
}

/** The layer on show, from 0, within those that the model has. */
export function shownLayer(facts: Facts): number {
  return Math.min(facts.layer, shownConfig(facts).numHiddenLayers - 1);
}

/** The head on show, from 0, within those that the model has. */
export function shownHead(facts: Facts): number {
  return Math.min(facts.head, shownConfig(facts).numAttentionHeads - 1);
}

/** Clip skip, within the layers that the model has. */
export function shownClipSkip(facts: Pick<Facts, 'model' | 'options'>): ClipSkip {
  return Math.min(facts.options.clipSkip, shownConfig(facts).numHiddenLayers + 1);
}
