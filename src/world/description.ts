import type { Colour, Filling, Grade, Ground, Relation, Shape, Size, Tone } from './worldWords.ts';

/** A word with its grade: "very large". */
export interface Graded<Word> {
  readonly word: Word;
  readonly grade: Grade | null;
}

/** Words that are said of an object; null stands for one that is not said. */
export interface ObjectWords {
  readonly shape: Shape | null;
  readonly colour: Graded<Colour> | null;
  readonly size: Graded<Size> | null;
  readonly tone: Graded<Tone> | null;
  readonly filling: Filling | null;
}

/** The meaning of a caption. */
export interface Description {
  /** One or two. */
  readonly objects: readonly ObjectWords[];
  /** The first object is left of, right of, above or below the second; null with one object, or where "and" joins them. */
  readonly relation: Relation | null;
  readonly ground: Ground | null;
}

export const inverse: Readonly<Record<Relation, Relation>> = {
  left: 'right',
  right: 'left',
  above: 'below',
  below: 'above',
};

/** Maps a relation to that of the scene with x and y exchanged. */
export const turned: Readonly<Record<Relation, Relation>> = {
  left: 'above',
  right: 'below',
  above: 'left',
  below: 'right',
};

/** Tells the same from the second object. A description of one object stays as it is. */
export function toldFromSecond(description: Description): Description {
  const { objects, relation } = description;
  if (objects.length === 1) return description;
  return { ...description, objects: [objects[1], objects[0]], relation: relation && inverse[relation] };
}

const gradedKey = (said: Graded<string> | null) => (said ? `${said.grade ?? ''} ${said.word}` : '');
const objectKey = ({ shape, colour, size, tone, filling }: ObjectWords) =>
  [shape ?? '', gradedKey(colour), gradedKey(size), gradedKey(tone), filling ?? ''].join(',');

/** A text that two descriptions have in common if and only if they mean the same, however they are worded. */
export function meaningKey(description: Description): string {
  const keys = [description, toldFromSecond(description)].map(({ objects, relation, ground }) =>
    [...objects.map(objectKey), relation ?? '', ground ?? ''].join(';'),
  );
  return keys[0] < keys[1] ? keys[0] : keys[1];
}

export const foilKinds = ['colours swapped', 'objects swapped', 'relation inverted', 'relation turned'] as const;
export type FoilKind = (typeof foilKinds)[number];

/**
 * A description that is wrong in one way, to be told from the right one; null where it would mean the same (two red objects
 * have no colours to swap) or where there is nothing to change. Swapped colours take their tones along. Objects swapped and
 * the relation inverted describe one scene in two ways, and are worded differently. A turned relation keeps the diagonal: a model that has
 * learned the diagonal alone takes "above" for "left of", refuses every other foil, and guesses these.
 */
export function foil(description: Description, kind: FoilKind): Description | null {
  const { objects, relation } = description;
  if (objects.length === 1) return null;
  const [first, second] = objects;
  const changed: Record<FoilKind, Description> = {
    'colours swapped': {
      ...description,
      objects: [
        { ...first, colour: second.colour, tone: second.tone },
        { ...second, colour: first.colour, tone: first.tone },
      ],
    },
    'objects swapped': { ...description, objects: [second, first] },
    'relation inverted': { ...description, relation: relation && inverse[relation] },
    'relation turned': { ...description, relation: relation && turned[relation] },
  };
  // A swap of grades alone ("very red" for "red") is right of many pictures as well.
  if (kind === 'colours swapped' && first.colour?.word === second.colour?.word) return null;
  return meaningKey(changed[kind]) === meaningKey(description) ? null : changed[kind];
}
