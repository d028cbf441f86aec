/** The words whose weight a picture can show, and what of the picture they move. */

import { changeWeight } from '../../prompt/editing/weightKeys.ts';
import { applyEdits } from '../../prompt/edits.ts';
import { parsePrompt } from '../../prompt/parsePrompt.ts';
import type { Syntax } from '../../prompt/syntax.ts';
import type { PreparedPrompt } from '../../road/preparedPrompt.ts';
import type { DrawnPicture } from '../../worker/pictures/pictureMessages.ts';
import { isGround, meaningOf, verySize } from '../../world/captionReading.ts';
import type { SeenObject } from '../../world/judge/judge.ts';
import { type Colour, colours, grades, shapes, sizes, tones } from '../../world/worldWords.ts';
import type { TriedWords } from './pictureStudies.ts';

/** A quantity that is measured in the pictures of a film strip. */
export type Measure = 'area' | 'hue' | 'lightness' | { readonly shareOf: Colour };

/** A word of the prompt that says something of an object. */
export interface MovingWord {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly isSize: boolean;
  /** The first is the one that the word is about. */
  readonly measures: readonly Measure[];
  /** How many objects the prompt names before the one that the word is of. */
  readonly object: number;
}

/** The word of the world that a word of a prompt stands for. */
function worldWord(text: string): string {
  const word = text.toLowerCase();
  return meaningOf.get(word) ?? verySize.get(word) ?? word;
}

const among = (list: readonly string[], word: string) => list.includes(word);

function measuresOf(word: string): readonly Measure[] {
  if (among(colours, word)) return [{ shareOf: word as Colour }, 'hue', 'area'];
  if (among(sizes, word)) return ['area'];
  if (among(tones, word)) return ['lightness', 'hue', 'area'];
  return among(shapes, word) || among(grades, word) || word === 'outline' || word === 'filled' ? ['area'] : [];
}

/** Finds the words of a positive prompt that say something of the objects, in order. */
export function movingWords(prompt: string): MovingWord[] {
  let object = 0;
  const found: MovingWord[] = [];
  const matches = [...prompt.matchAll(/\p{L}+/gu)];
  const words = matches.map(([text]) => worldWord(text));
  for (const [i, { 0: text, index: start }] of matches.entries()) {
    const word = words[i];
    const measures = measuresOf(word);
    // A ground's colour is none of an object's.
    if (measures.length > 0 && !(among(colours, word) && isGround(words, i)))
      found.push({ text, start, end: start + text.length, isSize: among(sizes, word), measures, object });
    if (among(shapes, word) || word === 'shape') object++;
  }
  return found;
}

/** The word to try where nobody chose one: one that weighs already, else a size, else a colour, else any. */
export function firstMovingWord(
  words: readonly MovingWord[],
  { texts }: Pick<PreparedPrompt, 'texts'>,
): MovingWord | undefined {
  const heavy = texts.flatMap(({ fragments }) => fragments.filter(({ weight }) => weight !== 1));
  const isHeavy = ({ start, end }: MovingWord) => heavy.some((one) => one.start <= start && end <= one.end);
  return (
    words.find(isHeavy) ??
    words.find(({ isSize }) => isSize) ??
    words.find(({ measures: [first] }) => typeof first === 'object') ??
    words[0]
  );
}

/** The weight that a word has as the prompt is typed. */
export function typedWeight({ start, end }: MovingWord, { texts }: Pick<PreparedPrompt, 'texts'>): number {
  const fragments = texts.flatMap((text) => text.fragments);
  return fragments.find((one) => one.start <= start && end <= one.end)?.weight ?? 1;
}

/** Puts brackets of its own around a word, unless it has them; null where the language cannot weigh it. */
export function bracketed(
  prompt: string,
  { text, start, end }: MovingWord,
  { texts }: Pick<PreparedPrompt, 'texts'>,
  syntax: Syntax,
): TriedWords | null {
  const isAlone = texts.some(({ fragments }) =>
    fragments.some((one) => one.text.trim() === text && start <= one.start && one.end <= end),
  );
  if (isAlone) return { positive: prompt, start, end };
  const change = changeWeight(parsePrompt(prompt, syntax), { start, end }, 0.1, syntax);
  if (!change) return null;
  const positive = applyEdits(prompt, change.edits);
  const at = positive.indexOf(text, change.selection.start);
  return at < 0 ? null : { positive, start: at, end: at + text.length };
}

/** The object of a picture that a word is of: the one of the shape that the prompt says, else the largest. */
function objectOf({ seen }: DrawnPicture, shape: string | null): SeenObject | undefined {
  return seen.objects.find((object) => object.shape === shape) ?? seen.objects[0];
}

/** The shape that the prompt says of each of its objects; null where it says none. */
export function saidShapes(prompt: string): (string | null)[] {
  return Array.from(prompt.matchAll(/\p{L}+/gu), ([word]) => worldWord(word))
    .filter((word) => among(shapes, word) || word === 'shape')
    .map((word) => (word === 'shape' ? null : word));
}

/** Measures a picture; NaN where there is nothing to measure. */
export function measured(picture: DrawnPicture | null | undefined, measure: Measure, shape: string | null): number {
  if (!picture) return Number.NaN;
  if (typeof measure === 'object') return picture.shares[measure.shareOf];
  const object = objectOf(picture, shape);
  return object ? object[measure] : Number.NaN;
}

/** Whether a picture is no longer one of what the prompt names: it has another number of objects, or none. */
export function isBroken(picture: DrawnPicture | null, objects: number): boolean {
  return !picture || picture.seen.objects.length !== objects;
}

/** The weights nearest to 1, on either side, from which the pictures are broken; null where they hold to the end. */
export function breakingPoints(
  weights: readonly number[],
  pictures: readonly (DrawnPicture | null | undefined)[],
  objects: number,
): { readonly below: number | null; readonly above: number | null } {
  const broken = weights.filter((_, i) => pictures[i] !== undefined && isBroken(pictures[i]!, objects));
  return {
    below: broken.findLast((weight) => weight < 1) ?? null,
    above: broken.find((weight) => weight > 1) ?? null,
  };
}
