/** A scene that a person puts together, drawn as the world's own are: each attribute has the middle of its word's spread. */

import { createRandom, type Random } from '../models/seededRandom.ts';
import { groundMeans, meanRgb, radiusSpread } from './attributes.ts';
import { plainCaption } from './captions.ts';
import { foil, foilKinds } from './description.ts';
import { relationOf } from './judge/judge.ts';
import { briefDescription, drawValues, fullDescription, type Scene, type SceneObject } from './scene.ts';
import {
  type Colour,
  colours,
  type Filling,
  type Ground,
  type Shape,
  type Size,
  shapes,
  type Tone,
} from './worldWords.ts';

/** x goes right, y goes down, in sides of the picture; both are of the object's middle. */
export interface OwnObject {
  readonly shape: Shape;
  readonly colour: Colour;
  readonly size: Size;
  /** Null for a colour that is as light as its word's mean. */
  readonly tone: Tone | null;
  readonly filling: Filling;
  readonly x: number;
  readonly y: number;
}

/** A line that was drawn by hand: points [x, y] that a round brush went through. */
export interface Stroke {
  readonly colour: Colour;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface OwnPicture {
  /** None, one or two. */
  readonly objects: readonly OwnObject[];
  readonly ground: Ground;
  /** Lines over the objects, the last on top. */
  readonly strokes: readonly Stroke[];
}

export const mostOwnObjects = 2;

/** Radius of the brush: 1.4 pixels, about as wide as the world's outlines. */
const brushRadius = 0.035;

export const ownRadius = ({ size }: Pick<OwnObject, 'size'>): number => radiusSpread(size, null).mean;

/** Moves an object to another place, whole inside the picture. */
export function movedTo<T extends OwnObject>(object: T, x: number, y: number): T {
  const radius = ownRadius(object);
  const inside = (value: number) => Math.min(1 - radius, Math.max(radius, value));
  return { ...object, x: inside(x), y: inside(y) };
}

/** Draws nothing by chance: every value is its word's mean. */
const middle: Random = { ...createRandom(0), spread: () => 0 };

function placed({ shape, colour, size, tone, filling, x, y }: OwnObject): SceneObject {
  const words = {
    ...{ shape, filling },
    colour: { word: colour, grade: null },
    size: { word: size, grade: null },
    tone: tone && { word: tone, grade: null },
  };
  return { ...drawValues(middle, words, { rgb: meanRgb(colour, tone) }), x, y };
}

/** The scene of the objects that were placed, without what was drawn by hand: captions tell of these. */
export function placedScene({ objects, ground }: OwnPicture): Scene {
  const [first, second] = objects;
  return {
    objects: objects.map(placed),
    relation: second ? relationOf(first, second) : null,
    ground: { word: ground, rgb: groundMeans[ground] },
  };
}

/** Discs of the brush, close enough to make a line. */
function brushed({ colour, points }: Stroke): SceneObject[] {
  const disc = (x: number, y: number): SceneObject => ({
    words: { shape: 'circle', colour: { word: colour, grade: null }, size: null, tone: null, filling: 'filled' },
    ...{ x, y, radius: brushRadius, rgb: meanRgb(colour, null), stroke: null },
  });
  return points.flatMap(([x, y], i) => {
    if (i === 0) return [disc(x, y)];
    const [fromX, fromY] = points[i - 1];
    const count = Math.max(
      1,
      Math.ceil(Math.sqrt((x - fromX) * (x - fromX) + (y - fromY) * (y - fromY)) / (brushRadius / 2)),
    );
    return Array.from({ length: count }, (_, k) => {
      const t = (k + 1) / count;
      return disc(fromX + t * (x - fromX), fromY + t * (y - fromY));
    });
  });
}

/** Everything of the picture, to be drawn by `renderScene`. */
export function ownScene(picture: OwnPicture): Scene {
  const scene = placedScene(picture);
  return { ...scene, objects: [...scene.objects, ...picture.strokes.flatMap(brushed)] };
}

/** Tells in the plainest words what the picture shows; empty where no object was placed. */
export const ownCaption = (picture: OwnPicture): string =>
  picture.objects.length > 0 ? plainCaption(briefDescription(placedScene(picture))) : '';

/** Every colour of every shape: what a picture of one object is told from without any example of it. */
const eachPair = colours.flatMap((colour) => shapes.map((shape) => `${colour} ${shape}`));

/** Captions to rank for a picture: those that are near to it, wrong in one way or another, then every colour and shape. */
export function zeroShotCaptions(picture: OwnPicture): string[] {
  if (picture.objects.length === 0) return eachPair;
  const scene = placedScene(picture);
  const brief = briefDescription(scene);
  const wrong = foilKinds.flatMap((kind) => foil(brief, kind) ?? []);
  const unrelated = { ...brief, relation: null };
  const near = [brief, ...wrong, unrelated, fullDescription(scene)].map(plainCaption);
  return [...new Set([...near, ...eachPair])];
}
