import type { Random } from '../models/seededRandom.ts';
import {
  type ColourMean,
  colourDistance,
  colourMeans,
  groundMeans,
  leastContrast,
  neutralReach,
  type Rgb,
  radiusSpread,
  rgbOf,
  saturationSpread,
  toneSpread,
  type WordSpread,
} from './attributes.ts';
import type { Description, ObjectWords } from './description.ts';
import { narrowest } from './shapeFields.ts';
import {
  type Colour,
  colours,
  type Filling,
  fillings,
  type Ground,
  grades,
  grounds,
  heldOutShape,
  type Relation,
  relations,
  type Shape,
  shapes,
  sizes,
  tones,
} from './worldWords.ts';

/** An object as it is drawn. Lengths are in sides of the picture; x goes right, y goes down, from the upper left corner. */
export interface SceneObject {
  readonly words: ObjectWords & { readonly shape: Shape; readonly filling: Filling };
  readonly x: number;
  readonly y: number;
  /** Half the side of the square that the shape is in. */
  readonly radius: number;
  readonly rgb: Rgb;
  /** Width of the outline, inwards from the edge; null if the object is filled. */
  readonly stroke: number | null;
}

export interface Scene {
  /** One or two. */
  readonly objects: readonly SceneObject[];
  /** The first object is there, seen from the second; null with one object. */
  readonly relation: Relation | null;
  readonly ground: { readonly word: Ground; readonly rgb: Rgb };
}

/** Which scenes to draw: training's, those with a pair that training never has, or both. */
export type Pairs = 'seen' | 'heldOut' | 'all';

/** Says whether training never draws the pair. */
export const isHeldOut = (colour: Colour, shape: Shape) => heldOutShape[colour] === shape;

/** Distances in sides of the picture: from an object to the picture's edge, and between two objects. */
const margin = 0.022;
const gap = 0.05;
/** An object is at most this far aside, against the distance in the direction of the relation. */
const aside = 0.5;

/** Width of an outline as a share of the radius, and what it is held to, so that pixels can show it with its hole. */
const strokeSpread: WordSpread = { mean: 0.26, reach: 0.07 };
/** In sides of the picture: 1.36 pixels. */
const leastStroke = 0.034;
/** Share of half the shape's width where it is narrowest. */
const widestStroke = 0.62;

const valueIn = (random: Random, { mean, reach }: WordSpread) => mean + reach * random.spread();

function drawRgb(random: Random, { hue, ...mean }: ColourMean, { colour, tone }: ObjectWords): Rgb {
  if (!hue) {
    const lightness = mean.lightness + neutralReach * random.spread();
    return [lightness, lightness, lightness];
  }
  // A purer colour is also nearer to its hue.
  const reach = hue.reach * (colour?.grade === 'very' ? 0.5 : 1);
  const saturation = mean.saturation * valueIn(random, saturationSpread(colour?.grade ?? null));
  const lightness = mean.lightness + valueIn(random, toneSpread(tone!.word, tone!.grade));
  return rgbOf(valueIn(random, { mean: hue.mean, reach }), Math.min(1, saturation), lightness);
}

/** An object without a place. Each attribute has its word, drawn alone, and a value about that word's mean. */
function drawObject(random: Random, pairs: Pairs): Omit<SceneObject, 'x' | 'y'> {
  const colour = random.pick(colours);
  const allowed = shapes.filter((shape) => pairs === 'all' || isHeldOut(colour, shape) === (pairs === 'heldOut'));
  const shape = random.pick(allowed);
  const hasHue = colourMeans[colour].hue !== null;
  // At most one word has a grade: two ("very large slightly red") are hard to read, for a person as well.
  const attribute = random.chance(0.4) ? random.pick(hasHue ? (['size', 'tone', 'colour'] as const) : ['size']) : null;
  const grade = random.pick(grades);
  const size = random.pick(sizes);
  const filling = random.pick(fillings);
  const words = {
    shape,
    colour: { word: colour, grade: attribute === 'colour' ? grade : null },
    // "Very medium" is no size.
    size: { word: size, grade: attribute === 'size' && size !== 'medium' ? grade : null },
    tone: hasHue ? { word: random.pick(tones), grade: attribute === 'tone' ? grade : null } : null,
    filling,
  };
  const radius = valueIn(random, radiusSpread(size, words.size.grade));
  const stroke = Math.min(
    Math.max(leastStroke, radius * valueIn(random, strokeSpread)),
    widestStroke * narrowest[shape] * radius,
  );
  return {
    words,
    radius,
    rgb: drawRgb(random, colourMeans[colour], words),
    stroke: filling === 'outline' ? stroke : null,
  };
}

/** A ground that both objects stand out from: any such ground, or the one of most contrast if there is none. */
function drawGround(random: Random, objects: readonly { readonly rgb: Rgb }[]): Scene['ground'] {
  const contrast = (ground: Ground) => Math.min(...objects.map(({ rgb }) => colourDistance(rgb, groundMeans[ground])));
  const distinct = grounds.filter((ground) => contrast(ground) >= leastContrast);
  const word =
    distinct.length > 0
      ? random.pick(distinct)
      : grounds.reduce((best, ground) => (contrast(ground) > contrast(best) ? ground : best));
  const shift = neutralReach * random.spread();
  const [r, g, b] = groundMeans[word];
  return { word, rgb: [r + shift, g + shift, b + shift] };
}

/**
 * Places of two objects whose first is left of or above the second, as [along, across] of the relation's axis. They keep
 * `gap` apart, and are less far aside than along.
 */
function drawPlaces(random: Random, radii: readonly [number, number]): [[number, number], [number, number]] {
  const [first, second] = radii;
  const slack = 1 - 2 * margin - 2 * (first + second) - gap;
  const before = random.between(0, slack);
  const between = random.between(0, slack - before);
  const along1 = margin + before + first;
  const along2 = along1 + first + gap + between + second;
  const reach = aside * (along2 - along1);
  const across1 = random.between(margin + first, 1 - margin - first);
  const across2 = random.between(
    Math.max(margin + second, across1 - reach),
    Math.min(1 - margin - second, across1 + reach),
  );
  return [
    [along1, across1],
    [along2, across2],
  ];
}

/**
 * Draws a scene: one object in 40 % of them, two in the others. With `heldOut` each scene has a pair that training never
 * has; a second object is any. Two objects differ in colour or in shape.
 */
export function drawScene(random: Random, pairs: Pairs = 'seen', count = random.chance(0.4) ? 1 : 2): Scene {
  const first = drawObject(random, pairs);
  if (count === 1) {
    const place = () => random.between(margin + first.radius, 1 - margin - first.radius);
    return { objects: [{ ...first, x: place(), y: place() }], relation: null, ground: drawGround(random, [first]) };
  }
  const alike = (a: ObjectWords, b: ObjectWords) => a.shape === b.shape && a.colour?.word === b.colour?.word;
  let second = drawObject(random, pairs === 'seen' ? 'seen' : 'all');
  while (alike(first.words, second.words)) second = drawObject(random, pairs === 'seen' ? 'seen' : 'all');
  const relation = random.pick(relations);
  // The relation is between the objects in the order of the list, so the one that lies first along the axis is found here.
  const inOrder = relation === 'left' || relation === 'above';
  const places = drawPlaces(random, inOrder ? [first.radius, second.radius] : [second.radius, first.radius]);
  const [a, b] = inOrder ? places : [places[1], places[0]];
  const at = ([along, across]: readonly [number, number]) =>
    relation === 'left' || relation === 'right' ? { x: along, y: across } : { x: across, y: along };
  return {
    objects: [
      { ...first, ...at(a) },
      { ...second, ...at(b) },
    ],
    relation,
    ground: drawGround(random, [first, second]),
  };
}

/** Everything that can be said of a scene. */
export function fullDescription({ objects, relation, ground }: Scene): Description {
  return { objects: objects.map(({ words }) => words), relation, ground: ground.word };
}

/** The colours and shapes of a scene, and how its objects lie. */
export function briefDescription({ objects, relation }: Scene): Description {
  const name = ({ shape, colour }: ObjectWords): ObjectWords => ({
    shape,
    colour: colour && { word: colour.word, grade: null },
    size: null,
    tone: null,
    filling: null,
  });
  return { objects: objects.map(({ words }) => name(words)), relation, ground: null };
}

/** Share of captions that name an attribute. */
const namedShare = 2 / 3;
/** Share of captions that name colours and shapes alone (and the relation): the prompts that people type first. */
const briefShare = 1 / 4;
/** Share of the other captions that say "shape" for a shape. */
const namelessShape = 0.1;

/**
 * Leaves unsaid what a caption leaves unsaid: each attribute, the relation and the ground in a third of captions, whatever
 * their values. An attribute that is not named is therefore spread as in the whole world.
 */
export function drawDescription(random: Random, scene: Scene): Description {
  const { objects, relation, ground } = fullDescription(scene);
  const brief = random.chance(briefShare);
  // Brief captions name no attribute but the colour; the others make up for it, up to the named share of all captions.
  const colourShare = brief ? 1 : (namedShare - briefShare) / (1 - briefShare);
  const otherShare = brief ? 0 : namedShare / (1 - briefShare);
  const said = <Word>(share: number, word: Word): Word | null => (random.chance(share) ? word : null);
  const name = (words: ObjectWords): ObjectWords => ({
    shape: said(brief ? 1 : 1 - namelessShape, words.shape),
    colour: said(colourShare, words.colour),
    size: said(otherShare, words.size),
    tone: said(otherShare, words.tone),
    filling: said(otherShare, words.filling),
  });
  return {
    objects: objects.map(name),
    relation: said(namedShare, relation),
    ground: said(otherShare, ground),
  };
}
