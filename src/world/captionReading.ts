import { type Description, type Graded, inverse, type ObjectWords } from './description.ts';
import {
  colours,
  fillings,
  type Grade,
  type Ground,
  grades,
  grounds,
  type Relation,
  relations,
  type Size,
  shapes,
  sizes,
  synonyms,
  tones,
} from './worldWords.ts';

/** The word of the world that a word means the same as. */
export const meaningOf = new Map<string, string>(
  Object.entries(synonyms).flatMap(([word, others]) => others.map((other) => [other, word] as const)),
);
/** Words that say “very” of a size as well. */
export const verySize = new Map<string, Size>([
  ['tiny', 'small'],
  ['huge', 'large'],
]);

const among = <Word extends string>(list: readonly Word[], word: string | undefined): word is Word =>
  (list as readonly (string | undefined)[]).includes(word);

/** Whether the colour at this place is the ground's: "white background", or "on white" with no object after it. */
export function isGround(words: readonly string[], i: number): boolean {
  const next = words[i + 1];
  if (next === 'background') return true;
  if (words[i - 1] !== 'on' && words[i - 1] !== 'against') return false;
  return !(next === 'shape' || [shapes, fillings, colours].some((list) => among<string>(list, next)));
}

const nothing: ObjectWords = { shape: null, colour: null, size: null, tone: null, filling: null };

/**
 * Reads what a caption says, in any of the world's wordings; words that the world has not are passed over. Null if no object,
 * or more than two, are named.
 */
export function readCaption(caption: string): Description | null {
  const words = (caption.toLowerCase().match(/\p{L}+/gu) ?? []).map((word) => meaningOf.get(word) ?? word);
  const objects: ObjectWords[] = [];
  let relation: Relation | null = null;
  let ground: Ground | null = null;
  // Adjectives wait for their shape, a grade for its adjective.
  let waiting = nothing;
  let grade: Grade | null = null;
  const graded = <Word>(word: Word): Graded<Word> => ({ word, grade });
  for (const [i, word] of words.entries()) {
    if (among(grades, word)) {
      grade = word;
      continue;
    }
    if (word === 'a' || word === 'an' || word === 'the') continue;
    if (among(grounds, word) && isGround(words, i)) ground = word;
    else if (among(colours, word)) waiting = { ...waiting, colour: graded(word) };
    else if (among(sizes, word)) waiting = { ...waiting, size: graded(word) };
    else if (verySize.has(word)) waiting = { ...waiting, size: { word: verySize.get(word)!, grade: 'very' } };
    else if (among(tones, word)) waiting = { ...waiting, tone: graded(word) };
    else if (among(fillings, word)) waiting = { ...waiting, filling: word };
    else if (among(shapes, word) || word === 'shape') {
      objects.push({ ...waiting, shape: word === 'shape' ? null : word });
      waiting = nothing;
    } else if (among(relations, word) && objects.length > 0) {
      // "Its" and "it" mean the object that was named first, so the relation is told of the second: it is turned round.
      const ofSecond = words[i - 1] === 'its' || words[i + 1] === 'it';
      relation = ofSecond ? inverse[word] : word;
    }
    grade = null;
  }
  if (objects.length === 1) return { objects: [objects[0]], relation: null, ground };
  if (objects.length !== 2) return null;
  return { objects: [objects[0], objects[1]], relation, ground };
}
