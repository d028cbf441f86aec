/** Everything that a person makes in the objective lab, a picture and captions, and its part of the page's address. */

import { mostOwnObjects, movedTo, type OwnObject, type OwnPicture, type Stroke } from '../../world/ownScene.ts';
import { colours, fillings, grounds, shapes, sizes, tones } from '../../world/worldWords.ts';
import { type LabParameter, readLabValues } from './labParameters.ts';

export interface OwnWork {
  readonly picture: OwnPicture;
  /** Captions for the picture, one a line. */
  readonly typed: string;
  /** The caption that ranks pictures. */
  readonly query: string;
}

export const firstOwn: OwnWork = {
  picture: {
    objects: [
      { shape: 'circle', colour: 'red', size: 'medium', tone: null, filling: 'filled', x: 0.28, y: 0.5 },
      { shape: 'square', colour: 'blue', size: 'medium', tone: null, filling: 'filled', x: 0.72, y: 0.5 },
    ],
    ground: 'white',
    strokes: [],
  },
  typed: 'a photo of a red circle\na photo of a cat',
  query: 'a red circle left of a blue square',
};

/** The most characters of an address that are made, and read, for all of it: many programs cut off more. */
export const longestOwnAddress = 7_000;
const longestText = 2_000;
const mostStrokes = 200;
const mostPoints = 2_000;

/** Places of objects are told to a thousandth of the side; a pixel is 25 of them. */
const perSide = 1000;
const none = 'none';

const objectText = ({ colour, shape, size, filling, tone, x, y }: OwnObject) =>
  [colour, shape, size, filling, ...[x, y].map((value) => Math.round(perSide * value)), ...(tone ? [tone] : [])].join(
    '-',
  );

const among = <T extends string>(words: readonly T[], text: string | undefined) => words.find((word) => word === text);

/** Undefined for a text that is none. */
function readObject(text: string): OwnObject | undefined {
  const [colourText, shapeText, sizeText, fillingText, xText, yText, toneText, ...rest] = text.split('-');
  const colour = among(colours, colourText);
  const shape = among(shapes, shapeText);
  const size = among(sizes, sizeText);
  const filling = among(fillings, fillingText);
  const tone = toneText === undefined ? null : among(tones, toneText);
  const isPlace = (place: string | undefined) => /^\d{1,4}$/.test(place ?? '');
  if (!colour || !shape || !size || !filling || tone === undefined || rest.length > 0) return undefined;
  if (!isPlace(xText) || !isPlace(yText)) return undefined;
  const [x, y] = [Number(xText) / perSide, Number(yText) / perSide];
  return movedTo({ shape, colour, size, tone, filling, x, y }, x, y);
}

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_~';
/** Steps of a line's coordinates over a side, which two digits tell. */
const lineSteps = 64 * 64 - 1;

function strokeText({ colour, points }: Stroke): string {
  const texts = points.flat().map((value) => {
    const step = Math.round(lineSteps * value);
    return digits[step >> 6] + digits[step & 63];
  });
  return `${colour}-${texts.join('')}`;
}

function readStroke(text: string): Stroke | undefined {
  const [, colourText, points] = /^(\w+)-((?:[\w~]{4})+)$/.exec(text) ?? [];
  const colour = among(colours, colourText);
  if (!colour) return undefined;
  const numbers = Array.from(points.matchAll(/../g), ([two]) => {
    return (64 * digits.indexOf(two[0]) + digits.indexOf(two[1])) / lineSteps;
  });
  return { colour, points: Array.from({ length: numbers.length / 2 }, (_, i) => [numbers[2 * i], numbers[2 * i + 1]]) };
}

/** A list of parts; undefined where one of them is none, or there are too many. */
function readList<T>(text: string, most: number, read: (part: string) => T | undefined): readonly T[] | undefined {
  if (text === none) return [];
  const parts = text.split('.');
  const list = parts.length <= most ? parts.map(read) : [undefined];
  return list.every((part) => part !== undefined) ? (list as readonly T[]) : undefined;
}

const list = (parts: readonly string[]) => parts.join('.') || none;

// Half a pair of surrogates has no encoding.
const encoded = (text: string) => encodeURIComponent(text.replace(/\p{Surrogate}/gu, '\ufffd'));

function readText(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text);
    return decoded.length <= longestText ? decoded : undefined;
  } catch {
    return undefined;
  }
}

export interface OwnAddress {
  /** The part after `#view=…` that has the work, as far as it is not as it is at first. */
  readonly address: string;
  /** Parts of the work that are too long for a link. */
  readonly leftOut: readonly ('captions' | 'lines')[];
}

interface AddressPart {
  readonly name: string;
  readonly kind: 'objects' | 'captions' | 'lines';
  readonly is: string;
  /** Value at first. */
  readonly was: string;
  /** Characters, before they are encoded. */
  readonly length?: number;
}

export function ownAddress({ picture, typed, query }: OwnWork): OwnAddress {
  const parts: readonly AddressPart[] = [
    { name: 'ground', is: picture.ground, was: firstOwn.picture.ground, kind: 'objects' },
    {
      ...{ name: 'objects', kind: 'objects' },
      is: list(picture.objects.map(objectText)),
      was: list(firstOwn.picture.objects.map(objectText)),
    },
    { name: 'query', is: encoded(query), was: encoded(firstOwn.query), kind: 'captions', length: query.length },
    { name: 'typed', is: encoded(typed), was: encoded(firstOwn.typed), kind: 'captions', length: typed.length },
    { name: 'lines', is: list(picture.strokes.map(strokeText)), was: none, kind: 'lines' },
  ];
  const leftOut = new Set<'captions' | 'lines'>();
  let address = '';
  for (const part of parts) {
    if (part.is === part.was) continue;
    const text = `&lab.${part.name}=${part.is}`;
    const isTooLong = (part.length ?? 0) > longestText;
    if (part.kind === 'objects' || (!isTooLong && address.length + text.length <= longestOwnAddress)) address += text;
    else leftOut.add(part.kind);
  }
  return { address, leftOut: [...leftOut] };
}

/** A part of a person's work in an address. */
interface OwnParameter<T> extends LabParameter<T> {
  /** The rest of a sentence: what the lab has in the place of one that is wrong. */
  readonly instead: string;
}

interface OwnParts {
  readonly ground: OwnPicture['ground'];
  readonly objects: OwnPicture['objects'];
  readonly query: string;
  readonly typed: string;
  readonly lines: OwnPicture['strokes'];
}

/** A parameter whose text is not longer than an address may be. */
const ofParts = <T>(takes: string, instead: string, read: (text: string) => T | undefined): OwnParameter<T> => ({
  ...{ takes, instead },
  read: (text) => (text.length > longestOwnAddress ? undefined : read(text)),
});

const textTakes = `a text of at most ${longestText} characters, encoded as in any address`;
const parameters: { readonly [Name in keyof OwnParts]: OwnParameter<OwnParts[Name]> } = {
  ground: ofParts(`one of ${grounds.join(', ')}`, `${firstOwn.picture.ground} is taken instead`, (text) =>
    among(grounds, text),
  ),
  objects: ofParts(
    `at most ${mostOwnObjects} objects as the lab’s own links write them`,
    'those that the lab begins with are taken instead',
    (text) => readList(text, mostOwnObjects, readObject),
  ),
  query: ofParts(textTakes, `“${firstOwn.query}” is taken instead`, (text) => readText(text)?.replace(/\n/g, ' ')),
  typed: ofParts(textTakes, 'those that the lab begins with are taken instead', readText),
  lines: ofParts(
    `at most ${mostStrokes} lines of ${mostPoints} points in all, as the lab’s own links write them`,
    'none is drawn',
    readLines,
  ),
};
export const ownNames = Object.keys(parameters) as (keyof OwnParts)[];

function readLines(text: string): readonly Stroke[] | undefined {
  const strokes = readList(text, mostStrokes, readStroke);
  const points = strokes?.reduce((sum, stroke) => sum + stroke.points.length, 0) ?? 0;
  return points <= mostPoints ? strokes : undefined;
}

/** Reads the work of an address, with clauses like those of readLabAddress; what is missing or wrong is as it is at first. */
export function readOwnAddress(hash: string): { readonly own: OwnWork; readonly problems: readonly string[] } {
  const { values, wrong } = readLabValues<OwnParts>(hash, parameters);
  const { picture, query, typed } = firstOwn;
  return {
    own: {
      picture: {
        ground: values.ground ?? picture.ground,
        objects: values.objects ?? picture.objects,
        strokes: values.lines ?? picture.strokes,
      },
      query: values.query ?? query,
      typed: values.typed ?? typed,
    },
    problems: wrong.map(({ name, clause }) => `${clause}; ${parameters[name].instead}`),
  };
}
