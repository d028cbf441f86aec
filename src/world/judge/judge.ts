import { colourWord, groundWord, hslOf, type Rgb, sizeWord, toneWord } from '../attributes.ts';
import { plainCaption } from '../captions.ts';
import type { Description, ObjectWords } from '../description.ts';
import { pictureSize as S } from '../render.ts';
import {
  type Colour,
  colours,
  type Filling,
  type Ground,
  type Relation,
  type Shape,
  type Size,
  type Tone,
} from '../worldWords.ts';
import { estimateGround, pixelRgb, segments } from './segments.ts';
import { matchShapes, silhouetteOf } from './silhouette.ts';

/** An object as the judge sees it. Lengths are in sides of the picture, the area in pictures. */
export interface SeenObject {
  readonly shape: Shape;
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly rgb: Rgb;
  /** Farthest colour from the ground that `rgb` may be a blurred outline of; `rgb` itself of a filled object. */
  readonly purest: Rgb;
  readonly colour: Colour;
  readonly size: Size;
  /** Null of black and white. */
  readonly tone: Tone | null;
  /** Degrees, 0 … 360; of no meaning where the colour is black or white. */
  readonly hue: number;
  readonly saturation: number;
  readonly lightness: number;
  readonly filling: Filling;
  /** Share of the silhouette that is the ground's: 0 of a filled object. */
  readonly hole: number;
  /** Silhouette, its hole included, as a share of the picture. */
  readonly area: number;
  /** How badly the shape fits: 0 for a perfect one; past about 0.3 a person would not name it. */
  readonly misfit: number;
}

export interface SeenPicture {
  /** The largest first; a broken picture may have none or many. */
  readonly objects: readonly SeenObject[];
  readonly ground: Ground;
  readonly groundRgb: Rgb;
}

/**
 * An outline has a hole of at least this share, and this deep. Measured on 700 scenes, blurred and with noise: filled objects
 * stay above 0.68, outlines below 0.67.
 */
const leastHole = 0.04;
const deepEnough = 0.67;

/**
 * A blurred outline is nowhere covered whole: its colour is mixed with the ground's by an unknown share, of up to about a
 * quarter. This is the other end of what it may be.
 */
function purestRgb(rgb: Rgb, ground: Rgb): Rgb {
  const channel = (c: number) => Math.min(1, Math.max(0, ground[c] + (4 / 3) * (rgb[c] - ground[c])));
  return [channel(0), channel(1), channel(2)];
}

/** Says what is in a picture [3, S, S] of −1 … 1. */
export function judgePicture(picture: Float32Array): SeenPicture {
  const groundRgb = estimateGround(picture);
  const objects = segments(picture, groundRgb).map((segment): SeenObject => {
    const silhouette = silhouetteOf(segment);
    const [{ shape, x, y, radius, difference }] = matchShapes(silhouette);
    const { hue, saturation, lightness } = hslOf(segment.rgb);
    const colour = colourWord(segment.rgb);
    const outlined = silhouette.hole >= leastHole && silhouette.deepest < deepEnough;
    return {
      shape,
      x,
      y,
      radius,
      rgb: segment.rgb,
      colour,
      size: sizeWord(radius),
      tone: toneWord(colour, lightness),
      hue,
      saturation,
      lightness,
      filling: outlined ? 'outline' : 'filled',
      purest: outlined ? purestRgb(segment.rgb, groundRgb) : segment.rgb,
      hole: silhouette.hole,
      area: silhouette.area / (S * S),
      misfit: difference,
    };
  });
  return { objects, ground: groundWord(groundRgb), groundRgb };
}

interface Placed {
  readonly x: number;
  readonly y: number;
}

/** Tells where the first is, seen from the second, along the axis on which they are farther apart. */
export function relationOf(first: Placed, second: Placed): Relation {
  const [right, down] = [first.x - second.x, first.y - second.y];
  if (Math.abs(right) >= Math.abs(down)) return right < 0 ? 'left' : 'right';
  return down < 0 ? 'above' : 'below';
}

const seenWords = ({ shape, colour, size, tone, filling }: SeenObject): ObjectWords => ({
  shape,
  colour: { word: colour, grade: null },
  size: { word: size, grade: null },
  tone: tone && { word: tone, grade: null },
  filling,
});

/** All that can be said of a picture in words, without grades; null unless it has one object or two. */
export function seenDescription({ objects, ground }: SeenPicture): Description | null {
  if (objects.length === 1) return { objects: [seenWords(objects[0])], relation: null, ground };
  if (objects.length !== 2) return null;
  // Left before right and above before below, as one reads.
  const [a, b] = objects;
  const [first, second] = ['left', 'above'].includes(relationOf(a, b)) ? [a, b] : [b, a];
  return { objects: [seenWords(first), seenWords(second)], relation: relationOf(first, second), ground };
}

/** "red circle left of blue square"; with `all`, sizes, tones, fillings and the ground, too. */
export function seenCaption(seen: SeenPicture, all = false): string {
  const description = seenDescription(seen);
  if (!description) return seen.objects.length === 0 ? 'no object' : `${seen.objects.length} objects`;
  if (all) return plainCaption(description);
  const plain = (words: ObjectWords): ObjectWords => ({ ...words, size: null, tone: null, filling: null });
  return plainCaption({
    objects: description.objects.map(plain),
    relation: description.relation,
    ground: null,
  });
}

/** How much of the picture has each colour, 0 … 1, the ground and what is like it left out: "share of red". */
export function colourShares(picture: Float32Array): Record<Colour, number> {
  const shares = Object.fromEntries(colours.map((colour) => [colour, 0])) as Record<Colour, number>;
  for (const { rgb, coverage } of segments(picture, estimateGround(picture)))
    for (let pixel = 0; pixel < S * S; pixel++)
      // Half-covered pixels mix two colours, so the object's own stands for them.
      if (coverage[pixel] > 0)
        shares[colourWord(coverage[pixel] > 0.8 ? pixelRgb(picture, pixel) : rgb)] += coverage[pixel] / (S * S);
  return shares;
}
