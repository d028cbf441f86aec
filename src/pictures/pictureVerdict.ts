/** Words for what the judge sees in a picture, and for whether that is what the prompt says. */

import type { PreparedPrompt } from '../road/preparedPrompt.ts';
import { readCaption } from '../world/captionReading.ts';
import { plainCaption } from '../world/captions.ts';
import type { Description } from '../world/description.ts';
import { type SeenPicture, seenCaption } from '../world/judge/judge.ts';
import { type ObjectVerdict, type Verdict, verdictOf } from '../world/judge/verdict.ts';

/**
 * Reads what a prompt says of the world: the words of every part that counts for it. Null if it names no object or more than two. A word
 * that weighs 0 or less is not said.
 */
export function saidIn({ texts }: Pick<PreparedPrompt, 'texts'>): Description | null {
  const said = texts.filter(({ weight }) => weight > 0);
  const words = said.map(({ fragments }) => fragments.map(({ text, weight }) => (weight > 0 ? text : ' ')).join(' '));
  return readCaption(words.join(' and '));
}

export interface PictureVerdict {
  /** The prompt's meaning in plain words; null where it names no object of the world, or more than two. */
  readonly said: string | null;
  /** "red circle left of blue square" */
  readonly seen: string;
  /** Whether all that the prompt says is right; null where it says nothing that can be held against a picture. */
  readonly right: boolean | null;
  /** Names everything that is wrong: "colour of the circle", "relation". */
  readonly wrong: readonly string[];
}

const count = (objects: number) => (objects === 1 ? 'one object' : `${objects} objects`);

/** Holds a picture to what its prompt says. */
export function pictureVerdict(said: Description | null, picture: SeenPicture): PictureVerdict {
  if (!said) return { said: null, seen: seenCaption(picture), right: null, wrong: [] };
  const verdict = verdictOf(said, picture);
  const saysMore = said.ground !== null || said.objects.some(({ size, tone, filling }) => size || tone || filling);
  return {
    said: plainCaption(said),
    seen: seenCaption(picture, saysMore),
    right: verdict.right,
    wrong: wrongParts(said, verdict),
  };
}

function wrongParts({ objects }: Description, verdict: Verdict): string[] {
  const wrong = verdict.count ? [] : [`the prompt names ${count(objects.length)}`];
  for (const [i, object] of verdict.objects.entries())
    for (const part of Object.keys(object) as (keyof ObjectVerdict)[]) {
      if (object[part] !== false) continue;
      const named = objects[i].shape ?? 'shape';
      const isAlone = objects.length === 1 || objects[0].shape === objects[1].shape;
      wrong.push(
        isAlone && objects.length > 1
          ? `${part} of ${i === 0 ? 'the first' : 'the second'}`
          : `${part} of the ${named}`,
      );
    }
  if (verdict.count && verdict.relation === false) wrong.push('relation');
  if (verdict.ground === false) wrong.push('background');
  return wrong;
}
