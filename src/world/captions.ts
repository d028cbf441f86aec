import type { Random } from '../models/seededRandom.ts';
import { type Description, type Graded, type ObjectWords, toldFromSecond } from './description.ts';
import { openings, qualityTags, type Relation, synonyms, verySizes } from './worldWords.ts';

/** Ways of saying a relation between two objects, in that order. */
const between: Readonly<Record<Relation, readonly string[]>> = {
  left: ['left of', 'to the left of', 'on the left of'],
  right: ['right of', 'to the right of', 'on the right of'],
  above: ['above', 'over', 'above'],
  below: ['below', 'under', 'beneath'],
};
/** Ways of saying it where the object that the first one is related to stands before it: "a star with a heart above it". */
const after: Readonly<Record<Relation, readonly string[]>> = {
  left: ['to its left', 'on its left'],
  right: ['to its right', 'on its right'],
  above: ['above it', 'over it'],
  below: ['below it', 'under it', 'beneath it'],
};

/** Share of words that are said by a synonym, of those that have one. */
const synonymShare = 0.15;
/** Shares of captions in tag style, with an opening, and with quality tags. */
const tagShare = 0.25;
const openingShare = 0.3;
const qualityShare = 0.25;

/** The word itself, or a synonym now and then. */
function worded(random: Random, word: string): string {
  const others = (synonyms as Readonly<Record<string, readonly string[] | undefined>>)[word];
  return others && random.chance(synonymShare) ? random.pick(others) : word;
}

const graded = (random: Random, { word, grade }: Graded<string>) =>
  grade ? `${grade} ${worded(random, word)}` : worded(random, word);

/** "large dark red outline star", without an article. The size comes first and the shape last, as in English. */
function nounPhrase(random: Random, { shape, colour, size, tone, filling }: ObjectWords): string {
  const huge = size?.grade === 'very' && size.word !== 'medium' && random.chance(0.5) ? verySizes[size.word] : null;
  const noun = shape ? worded(random, shape) : 'shape';
  const words = [
    huge ?? (size && graded(random, size)),
    tone && graded(random, tone),
    colour && graded(random, colour),
    filling && worded(random, filling),
    noun,
  ];
  return words.filter((word) => word !== null).join(' ');
}

/** The phrase with "a" or "an". */
export const withArticle = (phrase: string) => `${/^[aeiou]/.test(phrase) ? 'an' : 'a'} ${phrase}`;

/** Writes the objects with their relation; `article` is put before each of them. */
function writeObjects(random: Random, description: Description, article: (phrase: string) => string): string {
  // Either object may be told first.
  const told = random.chance(0.5) ? toldFromSecond(description) : description;
  const [first, second] = told.objects.map((object) => article(nounPhrase(random, object)));
  if (second === undefined) return first;
  if (!told.relation) return `${first} ${random.pick(['and', 'and', 'with'])} ${second}`;
  if (random.chance(0.7)) return `${first} ${random.pick(between[told.relation])} ${second}`;
  return `${second} with ${first} ${random.pick(after[told.relation])}`;
}

/** "red circle, blue square, white background". A relation is said between the objects. */
function writeTags(random: Random, description: Description): string {
  const { objects, relation, ground } = description;
  const parts = relation
    ? [writeObjects(random, description, (phrase) => phrase)]
    : objects.map((object) => nounPhrase(random, object));
  if (!relation && random.chance(0.5)) parts.reverse();
  if (ground) parts.push(`${worded(random, ground)} background`);
  return parts.join(', ');
}

function writeSentence(random: Random, description: Description): string {
  const { ground } = description;
  const objects = writeObjects(random, description, withArticle);
  if (!ground) return objects;
  const word = worded(random, ground);
  const background = withArticle(`${word} background`);
  return random.pick([
    () => `${objects} on ${background}`,
    () => `${objects} against ${background}`,
    () => `${objects} on ${word}`,
    () => `${objects}, ${word} background`,
    () => `${background} with ${objects}`,
  ])();
}

/** A caption that says what the description says, in one of many wordings, without anything around it. */
export const writeCaption = (random: Random, description: Description): string =>
  random.chance(tagShare) ? writeTags(random, description) : writeSentence(random, description);

/** A caption among words that change nothing: an opening before it, quality tags before or after it. */
export function withFillers(random: Random, caption: string): string {
  const opened = random.chance(openingShare) ? `${random.pick(openings)} ${caption}` : caption;
  if (!random.chance(qualityShare)) return opened;
  const tags = Array.from({ length: 1 + random.below(3) }, () => random.pick(qualityTags)).join(', ');
  return random.chance(0.25) ? `${tags}, ${opened}` : `${opened}, ${tags}`;
}

/** The plainest words for an object, "large red circle". */
export const plainPhrase = ({ shape, colour, size, tone, filling }: ObjectWords): string =>
  [size, tone, colour]
    .filter((said) => said !== null)
    .map(({ word, grade }) => (grade ? `${grade} ${word}` : word))
    .concat(filling ?? [], shape ?? 'shape')
    .join(' ');

/** The one wording of a description that is plainest: "large red circle left of blue square, white background". */
export function plainCaption(description: Description): string {
  const { objects, relation, ground } = description;
  const joined = relation ? ` ${between[relation][0]} ` : ' and ';
  return objects.map(plainPhrase).join(joined) + (ground ? `, ${ground} background` : '');
}
