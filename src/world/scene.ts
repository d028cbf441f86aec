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

/** An object without a place. */
type Unplaced = Omit<SceneObject, 'x' | 'y'>;

/** Draws an object. Each attribute has its word, drawn alone, and a value about that word's mean. */
function drawObject(random: Random, pairs: Pairs, colour: Colour, bold: boolean): Unplaced {
  const allowed = shapes.filter((shape) => pairs === 'all' || isHeldOut(colour, shape) === (pairs === 'heldOut'));
  const shape = random.pick(allowed);
  const hasHue = colourMeans[colour].hue !== null;
  // At most one word has a grade: two ("very large slightly red") are hard to read, for a person as well.
  const attribute = random.chance(0.4) ? random.pick(hasHue ? (['size', 'tone', 'colour'] as const) : ['size']) : null;
  const grade = random.pick(grades);
  const anySize = random.pick(sizes);
  const size = bold ? 'large' : anySize;
  const anyFilling = random.pick(fillings);
  const filling = bold ? 'filled' : anyFilling;
  const words = {
    shape,
    colour: { word: colour, grade: attribute === 'colour' ? grade : null },
    // "Very medium" is no size.
    size: { word: size, grade: attribute === 'size' && size !== 'medium' ? grade : null },
    tone: hasHue ? { word: random.pick(tones), grade: attribute === 'tone' ? grade : null } : null,
    filling,
  };
  return drawValues(random, words);
}

/** Draws what an object's words leave open, but for what it has already. */
export function drawValues(
  random: Random,
  words: SceneObject['words'],
  { radius, rgb }: { readonly radius?: number; readonly rgb?: Rgb } = {},
): Unplaced {
  const half = radius ?? valueIn(random, radiusSpread(words.size!.word, words.size!.grade));
  const stroke = Math.min(
    Math.max(leastStroke, half * valueIn(random, strokeSpread)),
    widestStroke * narrowest[words.shape] * half,
  );
  return {
    words,
    radius: half,
    rgb: rgb ?? drawRgb(random, colourMeans[words.colour!.word], words),
    stroke: words.filling === 'outline' ? stroke : null,
  };
}

/** Distance of a ground's colour to that of the object which stands out from it least. */
const contrastOf = (ground: Ground, objects: readonly { readonly rgb: Rgb }[]) =>
  Math.min(...objects.map(({ rgb }) => colourDistance(rgb, groundMeans[ground])));

/** Says whether all objects can be seen on a ground. */
export const standOut = (objects: readonly { readonly rgb: Rgb }[], ground: Ground): boolean =>
  contrastOf(ground, objects) >= leastContrast;

/** A ground that both objects stand out from: any such ground, or the one of most contrast if there is none. */
export function drawGround(
  random: Random,
  objects: readonly { readonly rgb: Rgb }[],
  among: readonly Ground[] = grounds,
): Scene['ground'] {
  const distinct = among.filter((ground) => standOut(objects, ground));
  const word =
    distinct.length > 0
      ? random.pick(distinct)
      : among.reduce((best, ground) => (contrastOf(ground, objects) > contrastOf(best, objects) ? ground : best));
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

/** Puts objects in their places: the first one lies as `relation` says, seen from the second. */
export function drawPlacesOf(random: Random, objects: readonly Unplaced[], relation: Relation | null): SceneObject[] {
  const [first, second] = objects;
  if (!relation) {
    const place = () => random.between(margin + first.radius, 1 - margin - first.radius);
    return [{ ...first, x: place(), y: place() }];
  }
  // The relation is between the objects in the order of the list, so the one that lies first along the axis is found here.
  const inOrder = relation === 'left' || relation === 'above';
  const places = drawPlaces(random, inOrder ? [first.radius, second.radius] : [second.radius, first.radius]);
  const [a, b] = inOrder ? places : [places[1], places[0]];
  const at = ([along, across]: readonly [number, number]) =>
    relation === 'left' || relation === 'right' ? { x: along, y: across } : { x: across, y: along };
  return [
    { ...first, ...at(a) },
    { ...second, ...at(b) },
  ];
}

/** Says whether two objects could be taken for one another by their colours and shapes. */
export const alike = (a: ObjectWords, b: ObjectWords): boolean =>
  a.shape === b.shape && a.colour?.word === b.colour?.word;

/** A plain scene has black objects on one of these. */
const plainGrounds = ['white', 'beige'] as const satisfies readonly Ground[];

export interface SceneOptions {
  /** All but those of an evaluation are training's. */
  readonly pairs?: Pairs;
  /** One in 40 % of scenes, two in the others, unless it is said. */
  readonly count?: 1 | 2;
  /** Black on a light ground: nothing but shapes, sizes and fillings to look at. */
  readonly plain?: boolean;
  /** Large and filled, so that shapes differ in as many pixels as they can. */
  readonly bold?: boolean;
  /** Two objects have one colour, so that their shapes alone tell which is where. */
  readonly oneColour?: boolean;
}

/**
 * Draws a scene. With `heldOut` each scene has a pair that training never has; a second object is any. Two objects differ in colour
 * or in shape.
 */
export function drawScene(
  random: Random,
  {
    pairs = 'seen',
    count = random.chance(0.4) ? 1 : 2,
    plain = false,
    bold = false,
    oneColour = false,
  }: SceneOptions = {},
): Scene {
  const draw = (among: Pairs, colour: Colour = plain ? 'black' : random.pick(colours)) =>
    drawObject(random, among, colour, bold);
  const first = draw(pairs);
  const unplaced = [first];
  if (count === 2) {
    const colour = oneColour ? first.words.colour?.word : undefined;
    const drawSecond = () => draw(pairs === 'seen' ? 'seen' : 'all', colour);
    let second = drawSecond();
    while (alike(first.words, second.words)) second = drawSecond();
    unplaced.push(second);
  }
  const relation = count === 2 ? random.pick(relations) : null;
  return {
    objects: drawPlacesOf(random, unplaced, relation),
    relation,
    ground: drawGround(random, unplaced, plain ? plainGrounds : grounds),
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

/** The colours and shapes of a scene, how its objects lie, which are outlines, and the sizes of two in three. */
export function sizedDescription(random: Random, scene: Scene): Description {
  const brief = briefDescription(scene);
  const objects = brief.objects.map((words, i) => ({
    ...words,
    size: random.chance(namedShare) ? scene.objects[i].words.size : null,
  }));
  return withOutlines(scene, { ...brief, objects });
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

/** Says of every outline that it is one. */
export function withOutlines({ objects }: Scene, description: Description): Description {
  const name = (words: ObjectWords, i: number): ObjectWords =>
    objects[i].words.filling === 'outline' ? { ...words, filling: 'outline' } : words;
  return { ...description, objects: description.objects.map(name) };
}

/** Leaves unsaid what another description leaves unsaid. */
export function describeLike(scene: Scene, model: Description): Description {
  const { objects, relation, ground } = fullDescription(scene);
  const name = (words: ObjectWords, like: ObjectWords): ObjectWords => ({
    shape: like.shape && words.shape,
    colour: like.colour && words.colour,
    size: like.size && words.size,
    tone: like.tone && words.tone,
    filling: like.filling && words.filling,
  });
  return {
    objects: objects.map((words, i) => name(words, model.objects[i])),
    relation: model.relation && relation,
    ground: model.ground && ground,
  };
}
