import { exp } from '../../models/elementary.ts';
import type { PictureOrigin } from '../pictureOrigin.ts';
import { type LabFacts, shownLogScale } from './labStore.ts';

/** Says of what a saved picture of the lab is: of a run and a step, and of no prompt. */
export function labOrigin(facts: Pick<LabFacts, 'settings' | 'run' | 'frame'>): PictureOrigin {
  const { seed, batch, objective, from } = facts.run.settings;
  const parts = [
    `N ${batch}`,
    objective === 'clip' ? 'softmax' : 'sigmoid',
    from === 'scratch' ? `seed ${seed}` : `from the shipped model, seed ${seed}`,
    `step ${facts.frame?.step ?? 0}`,
    `τ ${(1 / exp(shownLogScale(facts))).toPrecision(3)}`,
  ];
  return { inShort: parts.join(' · '), prompts: [] };
}
