/** The words whose weight a picture can show, and what of the picture they move. */

import type { Range } from '../../prompt/ast.ts';
import { changeWeight } from '../../prompt/editing/weightKeys.ts';
import { applyEdits } from '../../prompt/edits.ts';
import { parsePrompt } from '../../prompt/parsePrompt.ts';
import type { Syntax } from '../../prompt/syntax.ts';
import type { PreparedPrompt } from '../../road/preparedPrompt.ts';
import { wordsOf } from '../../tokens/words.ts';
import type { DrawnPicture } from '../../worker/pictures/pictureMessages.ts';
import { isGround, meaningOf, verySize } from '../../world/captionReading.ts';
import type { Description } from '../../world/description.ts';
import type { SeenObject } from '../../world/judge/judge.ts';
import { matchedObjects } from '../../world/judge/verdict.ts';
import { type Colour, colours, grades, shapes, sizes, tones } from '../../world/worldWords.ts';
import type { TriedWords } from './pictureStudies.ts';

/** A quantity that is measured in the pictures of a film strip. */
export type Measure = 'area' | 'hue' | 'lightness' | { readonly shareOf: Colour };

/** A word of the prompt that says something of an object. */
export interface MovingWord extends Range {
  readonly text: string;
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

/** A word that the text encoder reads, and its place in the prompt. */
interface ReadWord extends Range {
  readonly text: string;
  /** Whether it is said at all: a word that weighs 0 or less is not, nor is one of a part that does. */
  readonly isSaid: boolean;
}

/** Reads the words of each text of a prompt. What is no text at this step, such as a comment, has none. */
function readWords({ texts, source }: PreparedPrompt): ReadWord[][] {
  return texts.map(({ chunks, weight: partWeight }) => {
    const tokens = chunks.flatMap((chunk) => chunk.tokens);
    const typed = wordsOf(tokens.filter(({ kind, vector }) => kind === 'text' && !vector));
    return typed.map((word) => {
      const { start } = word[0].range!;
      const { end } = word.at(-1)!.range!;
      return { start, end, text: source.slice(start, end), isSaid: partWeight > 0 && word[0].weight > 0 };
    });
  });
}

const namesObject = ({ text }: ReadWord) => {
  const word = worldWord(text);
  return among(shapes, word) || word === 'shape';
};

/**
 * Finds the words of a positive prompt that say something of the objects, in order. `readings` are those of its steps: what the pictures
 * show is what the last one says.
 */
export function movingWords(readings: readonly PreparedPrompt[]): MovingWord[] {
  const named = readWords(readings.at(-1)!)
    .flat()
    .filter((word) => word.isSaid && namesObject(word));
  const found = new Map<number, MovingWord>();
  for (const text of readings.flatMap(readWords)) {
    const words = text.map((word) => worldWord(word.text));
    for (const [i, { text: typed, start, end }] of text.entries()) {
      const measures = measuresOf(words[i]);
      // A ground's colour is none of an object's.
      if (measures.length === 0 || (among(colours, words[i]) && isGround(words, i))) continue;
      const object = named.filter((shape) => shape.start < start).length;
      found.set(start, { text: typed, start, end, isSize: among(sizes, words[i]), measures, object });
    }
  }
  return [...found.values()].sort((a, b) => a.start - b.start);
}

/** Names each word, the second of one text apart from the first: "red", "red, 2nd". */
export function wordNames(words: readonly MovingWord[]): string[] {
  return words.map(({ text }, i) => {
    const count = words.slice(0, i + 1).filter((other) => other.text === text).length;
    return count === 1 ? text : `${text}, ${count}${['nd', 'rd'][count - 2] ?? 'th'}`;
  });
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

/**
 * Gives what the strip's prompt says of the world, by the verdict of a picture in which the tried word counts; null where that is nothing,
 * or not one thing.
 */
export function saidInStrip(
  weights: readonly number[],
  pictures: readonly (DrawnPicture | null | undefined)[],
): Description | null {
  return pictures.find((picture, i) => picture && weights[i] > 0)?.verdict.meaning ?? null;
}

/** The object of a picture that a word is of, as a judge matches them; the largest where the prompt does not tell of which objects it is. */
function objectOf({ seen }: DrawnPicture, said: Description | null, object: number): SeenObject | undefined {
  if (!said) return seen.objects[0];
  const place = matchedObjects(said, seen)[Math.min(object, said.objects.length - 1)];
  return place === null ? undefined : seen.objects[place];
}

/** Measures a picture; NaN where there is nothing to measure. */
export function measured(
  picture: DrawnPicture | null | undefined,
  measure: Measure,
  said: Description | null,
  object: number,
): number {
  if (!picture) return Number.NaN;
  if (typeof measure === 'object') return picture.shares[measure.shareOf];
  return objectOf(picture, said, object)?.[measure] ?? Number.NaN;
}

/** Whether a picture is no longer one of what the prompt names: it has another number of objects, or none. */
export function isBroken(picture: DrawnPicture | null | undefined, { objects }: Description): boolean {
  return picture?.seen.objects.length !== objects.length;
}

/** The weights about 1 at which all pictures have the prompt's objects, the first and the last; null where they have not even at 1. */
export function wholeRange(
  weights: readonly number[],
  broken: readonly boolean[],
): { readonly from: number; readonly to: number } | null {
  const one = weights.indexOf(1);
  if (broken[one]) return null;
  const next = broken.indexOf(true, one);
  return {
    from: weights[broken.lastIndexOf(true, one) + 1],
    to: next < 0 ? weights.at(-1)! : weights[next - 1],
  };
}
