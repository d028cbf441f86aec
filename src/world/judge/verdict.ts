import {
  colourMeans,
  colourWord,
  hslOf,
  hueFrom,
  neutralChroma,
  type Rgb,
  radiusSpread,
  saturationSpread,
  toneSpread,
  type WordSpread,
} from '../attributes.ts';
import type { Description, Graded, ObjectWords } from '../description.ts';
import type { Scene } from '../scene.ts';
import { type Colour, colours, type Filling, type Ground, type Shape, type Size, type Tone } from '../worldWords.ts';
import { relationOf } from './judge.ts';

/** The values of an object that words are held against: of one that was drawn, or of one that the judge has seen. */
export interface ObjectValues {
  readonly shape: Shape;
  readonly x: number;
  readonly y: number;
  /** In sides of the picture. */
  readonly radius: number;
  readonly rgb: Rgb;
  /** The other end of what its colour may be, where that is not known exactly. */
  readonly purest?: Rgb;
  readonly filling: Filling;
}

/** A picture's values: what the judge sees in it (`judgePicture`), or a scene's own. */
export interface PictureValues {
  readonly objects: readonly ObjectValues[];
  readonly ground: Ground;
}

/** How far the judge's measure of a small model's picture may be off: 0.3 pixels, a few steps of lightness, some degrees. */
export interface Tolerance {
  readonly radius: number;
  readonly lightness: number;
  readonly hue: number;
  readonly saturation: number;
}

export const noTolerance: Tolerance = { radius: 0, lightness: 0, hue: 0, saturation: 0 };
export const judgeTolerance: Tolerance = { radius: 0.0075, lightness: 0.03, hue: 4, saturation: 0.1 };

/** Whether a value lies where the word's values lie. `open` is the side on which the word has no end: +1, −1, or 0. */
function within(value: number, { mean, reach }: WordSpread, tolerance: number, open: number): boolean {
  const off = value - mean;
  if (open !== 0) return off * open >= -reach - tolerance;
  return Math.abs(off) <= reach + tolerance;
}

/** "Large" holds of everything from its smallest on, "slightly large" up to its own end only. */
export function sizeFits({ word, grade }: Graded<Size>, radius: number, tolerance = judgeTolerance): boolean {
  const open = grade === 'slightly' ? 0 : { small: -1, medium: 0, large: 1 }[word];
  return within(radius, radiusSpread(word, grade), tolerance.radius, open);
}

/** The tone of a colour is told from the lightness of that colour; it holds of nothing that is black or white. */
export function toneFits({ word, grade }: Graded<Tone>, colour: Colour, rgb: Rgb, tolerance = judgeTolerance): boolean {
  if (!colourMeans[colour].hue) return false;
  const lightness = hslOf(rgb).lightness - colourMeans[colour].lightness;
  const open = grade === 'slightly' ? 0 : word === 'light' ? 1 : -1;
  return within(lightness, toneSpread(word, grade), tolerance.lightness, open);
}

/** A hue within the word's spread, of a saturation that fits the grade. */
export function colourFits({ word, grade }: Graded<Colour>, rgb: Rgb, tolerance = judgeTolerance): boolean {
  const mean = colourMeans[word];
  if (!mean.hue) return colourWord(rgb) === word;
  const { hue, saturation, chroma } = hslOf(rgb);
  if (chroma < neutralChroma) return false;
  if (Math.abs(hueFrom(word, hue)) > mean.hue.reach + tolerance.hue) return false;
  if (grade === null) return true;
  const open = grade === 'very' ? 1 : -1;
  return within(saturation / mean.saturation, saturationSpread(grade), tolerance.saturation, open);
}

/** Whether each thing that is said of an object holds; null is what is not said. */
export interface ObjectVerdict {
  readonly shape: boolean | null;
  readonly colour: boolean | null;
  readonly size: boolean | null;
  readonly tone: boolean | null;
  readonly filling: boolean | null;
}

export function objectVerdict(words: ObjectWords, values: ObjectValues, tolerance = judgeTolerance): ObjectVerdict {
  const { shape, colour, size, tone, filling } = words;
  const possible = [values.rgb, values.purest ?? values.rgb];
  // A tone is told from the colour that is said, or from any that it may be.
  const coloursOf = (rgb: Rgb) =>
    colour ? [colour.word] : colours.filter((word) => colourFits({ word, grade: null }, rgb, tolerance));
  return {
    shape: shape && shape === values.shape,
    colour: colour && possible.some((rgb) => colourFits(colour, rgb, tolerance)),
    size: size && sizeFits(size, values.radius, tolerance),
    tone: tone && possible.some((rgb) => coloursOf(rgb).some((name) => toneFits(tone, name, rgb, tolerance))),
    filling: filling && filling === values.filling,
  };
}

export interface Verdict {
  /** Everything that the caption says holds. */
  readonly right: boolean;
  /** Whether there are as many objects as the caption names. */
  readonly count: boolean;
  /** In the caption's order; empty if the count is wrong. */
  readonly objects: readonly ObjectVerdict[];
  readonly relation: boolean | null;
  readonly ground: boolean | null;
}

const failures = (verdict: ObjectVerdict) => Object.values(verdict).filter((holds) => holds === false).length;

/** Objects that are looked through for those of a caption; the largest come first, what is past these is a broken picture's. */
const mostMatched = 4;

/** All ways in which seen objects may be those that are said; null stands for one that is not there. */
function ordersOf(said: number, seen: number): (number | null)[][] {
  const places = Array.from({ length: Math.min(seen, mostMatched) }, (_, i) => i);
  if (said === 1) return seen === 0 ? [[null]] : places.map((i) => [i]);
  if (seen === 0) return [[null, null]];
  if (seen === 1)
    return [
      [0, null],
      [null, 0],
    ];
  return places.flatMap((i) => places.filter((j) => j !== i).map((j) => [i, j]));
}

/**
 * Finds which of the seen objects is which of a description's, by place; null where it is not there. Most of what is said of them then
 * holds; the relation decides only where several ways are as good.
 */
export function matchedObjects(
  { objects: said, relation }: Description,
  { objects: seen }: Pick<PictureValues, 'objects'>,
  tolerance = judgeTolerance,
): (number | null)[] {
  const wrong = (order: readonly (number | null)[]) => {
    const [first, second] = order.map((i) => (i === null ? null : seen[i]));
    const isAside = relation && first && second && relationOf(first, second) !== relation;
    const each = order.map((i, of) => (i === null ? 0 : failures(objectVerdict(said[of], seen[i], tolerance))));
    return each.reduce((sum, count) => sum + count, 0) + (isAside ? 0.5 : 0);
  };
  return ordersOf(said.length, seen.length).reduce((best, order) => (wrong(order) < wrong(best) ? order : best));
}

/** Holds a picture to a caption's meaning. Which seen object is which of the caption's is as `matchedObjects` finds it. */
export function verdictOf(description: Description, seen: PictureValues, tolerance = judgeTolerance): Verdict {
  const { objects: said, relation, ground } = description;
  const groundHolds = ground && ground === seen.ground;
  if (said.length !== seen.objects.length)
    return { right: false, count: false, objects: [], relation: relation && false, ground: groundHolds };
  const matched = matchedObjects(description, seen, tolerance).map((i) => seen.objects[i!]);
  const objects = said.map((words, i) => objectVerdict(words, matched[i], tolerance));
  const relationHolds = relation && relationOf(matched[0], matched[1]) === relation;
  const right = objects.every((verdict) => failures(verdict) === 0) && relationHolds !== false && groundHolds !== false;
  return { right, count: true, objects, relation: relationHolds, ground: groundHolds };
}

/**
 * Whether a description is right of a scene, by the scene's own values: several scenes fit a caption that leaves things unsaid,
 * and in the overlap of two words either is right.
 */
export function describes(description: Description, { objects, ground }: Scene): boolean {
  const values = objects.map(({ words: { shape, filling }, ...object }) => ({ ...object, shape, filling }));
  return verdictOf(description, { objects: values, ground: ground.word }, noTolerance).right;
}
