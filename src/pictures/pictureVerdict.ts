/** Words for what the judge sees in a picture, and for whether that is what the prompt says. */

import type { Node } from '../prompt/ast.ts';
import type { PreparedPrompt, PreparedText } from '../road/preparedPrompt.ts';
import { listed } from '../road/study/sentence.ts';
import { appliesWeights } from '../weighting/apply.ts';
import { type MethodName, methods } from '../weighting/methods.ts';
import { readCaption } from '../world/captionReading.ts';
import { plainCaption } from '../world/captions.ts';
import type { Description } from '../world/description.ts';
import { type SeenPicture, seenCaption } from '../world/judge/judge.ts';
import { type ObjectVerdict, type Verdict, verdictOf } from '../world/judge/verdict.ts';
import type { SteppedReading } from './promptSteps.ts';

/** A prompt's meaning in the world, and how it is told. */
export interface SaidPrompt {
  /** The meaning that its pictures are held to; null where there is none, or more than one. */
  readonly meaning: Description | null;
  /** How the prompt says it, as the beginning of a sentence; null where it names no object of the world, or more than two. */
  readonly claim: string | null;
}

/** Reads what texts say together: null if they name no object or more than two. A word that weighs 0 or less is not said. */
function readTexts(texts: readonly PreparedText[], method: MethodName): Description | null {
  const isSaid = appliesWeights(methods[method]) ? (weight: number) => weight > 0 : () => true;
  const words = texts.map(({ fragments }) =>
    fragments.map(({ kind, text, weight }) => (kind === 'text' && isSaid(weight) ? text : ' ')).join(' '),
  );
  return readCaption(words.join(' and '));
}

const captionOf = (meaning: Description | null) => meaning && plainCaption(meaning);
const quotedCaption = (meaning: Description | null) => (meaning ? `“${plainCaption(meaning)}”` : 'other words');
const distinctMeanings = (meanings: readonly (Description | null)[]) => [
  ...new Map(meanings.map((meaning) => [captionOf(meaning), meaning])).values(),
];

/** Reads what a prompt says as it is read in one step. */
function saidIn({ texts }: Pick<PreparedPrompt, 'texts'>, method: MethodName): SaidPrompt {
  const said = texts.filter(({ weight }) => weight > 0);
  // A blend is of several prompts, each with a meaning of its own; parts of an AND, or of an .and(), say something together.
  const blended = said.filter(({ operator }) => operator === 'blend');
  const meanings = distinctMeanings(blended.map((text) => readTexts([text], method)));
  if (meanings.length > 1)
    return { meaning: null, claim: `The prompt is a blend of ${listed(meanings.map(quotedCaption))}` };
  const together = said.filter((text) => text.operator !== 'blend' || text === blended[0]);
  const meaning = readTexts(together, method);
  return { meaning, claim: meaning && `The prompt says ${quotedCaption(meaning)}` };
}

const hasAlternation = (nodes: readonly Node[]): boolean =>
  nodes.some(
    (node) =>
      node.type === 'alternate' ||
      (node.type === 'scheduled' && hasAlternation([...node.before, ...node.after])) ||
      (node.type === 'composite' && node.parts.some(({ children }) => hasAlternation(children))),
  );

/**
 * Reads what a prompt says over all steps, weighed by `method`. Where its text changes, its pictures are held to that of the last step; where it
 * alternates until the end, to none.
 */
export function saidThrough({ readings, readingOf }: SteppedReading, method: MethodName): SaidPrompt {
  const said = readings.map((reading) => saidIn(reading, method));
  const last = said[readingOf.at(-1)!];
  const captions = readingOf.map((reading) => captionOf(said[reading].meaning));
  const first = captions.indexOf(captions.at(-1)!);
  const since = distinctMeanings(readingOf.slice(first).map((reading) => said[reading].meaning));
  if (since.length > 1 && hasAlternation(readings[0].nodes))
    return { meaning: null, claim: `The prompt alternates between ${listed(since.map(quotedCaption))}` };
  if (!last.meaning || new Set(captions).size === 1) return last;
  return { ...last, claim: `The last step says ${quotedCaption(last.meaning)}` };
}

export interface PictureVerdict {
  /** The meaning that the picture is held to; null where the prompt has none, or more than one. */
  readonly meaning: Description | null;
  /** How the prompt says what it says, as the beginning of a sentence; null where it names no object of the world, or more than two. */
  readonly claim: string | null;
  /** "red circle left of blue square" */
  readonly seen: string;
  /** Whether all that the prompt says is right; null where it says nothing, or not one thing, that a picture can be held to. */
  readonly right: boolean | null;
  /** Names everything that is wrong: "colour of the circle", "relation". */
  readonly wrong: readonly string[];
}

const count = (objects: number) => (objects === 1 ? 'one object' : `${objects} objects`);

/** Holds a picture to what its prompt says. */
export function pictureVerdict({ meaning, claim }: SaidPrompt, picture: SeenPicture): PictureVerdict {
  if (!meaning) return { meaning, claim, seen: seenCaption(picture), right: null, wrong: [] };
  const { ground, objects } = meaning;
  const verdict = verdictOf(meaning, picture);
  const saysMore = ground !== null || objects.some(({ size, tone, filling }) => size || tone || filling);
  const seen = seenCaption(picture, saysMore);
  return { meaning, claim, seen, right: verdict.right, wrong: wrongParts(meaning, verdict) };
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
