import { modelName } from './encoderStatus.ts';
import type { Facts } from './facts.ts';
import { prepared, shownChunk } from './reading.ts';

/** Says of what the pictures are: `positive · chunk 2 of 5 · step 1 · made-up weights`. The step is named where it matters. */
export function shownInShort(facts: Facts): string {
  const { side, model, options } = facts;
  const chunk = shownChunk(facts);
  const whole = prepared(facts, side);
  const parts: string[] = [side];
  if (chunk && whole) {
    parts.push(`chunk ${whole.chunks.indexOf(chunk) + 1} of ${whole.chunks.length}`);
    if (whole.texts.some(({ steps }) => steps.length > 1)) parts.push(`step ${options.step}`);
  }
  if (model) parts.push(model.random ? 'made-up weights' : modelName(facts));
  return parts.join(' · ');
}
