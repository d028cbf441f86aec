import { modelName } from './encoderStatus.ts';
import type { Facts } from './facts.ts';
import { prepared, shownChunk } from './reading.ts';
import { type View, viewScopes } from './view.ts';

/**
 * Says of what a view's numbers are: `positive · chunk 2 of 5 · step 1 · made-up weights`. The step is named where it
 * matters.
 */
export function shownInShort(facts: Facts, view: View): string {
  const { side, model, options } = facts;
  const scope = viewScopes[view];
  if (scope === null) return 'the same for every prompt';
  if (view === 'picture') return 'both prompts · small text encoder';
  const parts: string[] = [scope === 'both' ? 'both prompts' : side];
  const chunk = shownChunk(facts);
  const whole = prepared(facts, side);
  if (chunk && whole) {
    if (scope === 'chunk') parts.push(`chunk ${whole.chunks.indexOf(chunk) + 1} of ${whole.chunks.length}`);
    if (whole.texts.some(({ steps }) => steps.length > 1)) parts.push(`step ${options.step}`);
  }
  if (model?.random) parts.push('made-up weights');
  else if (model) parts.push(model.knownIds ? `${modelName(facts)}, not Stable Diffusion` : modelName(facts));
  return parts.join(' · ');
}
