import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import { movedTo } from '../../world/ownScene.ts';
import { colours, fillings, grounds, shapes, sizes, tones } from '../../world/worldWords.ts';
import { viewHash } from '../view.ts';
import { firstOwn, longestOwnAddress, type OwnWork, ownAddress, readOwnAddress } from './ownWork.ts';

const place = fc.double({ min: 0, max: 1, noNaN: true });
const object = fc
  .record({
    ...{ shape: fc.constantFrom(...shapes), colour: fc.constantFrom(...colours), size: fc.constantFrom(...sizes) },
    ...{ tone: fc.constantFrom(null, ...tones), filling: fc.constantFrom(...fillings), x: place, y: place },
  })
  .map((object) => movedTo(object, object.x, object.y));
const stroke = fc.record({
  colour: fc.constantFrom(...colours),
  points: fc.array(fc.tuple(place, place), { minLength: 1, maxLength: 12 }),
});
const text = fc.string({ unit: 'grapheme', maxLength: 60 });
const work: fc.Arbitrary<OwnWork> = fc.record({
  picture: fc.record({
    objects: fc.array(object, { maxLength: 2 }),
    ground: fc.constantFrom(...grounds),
    strokes: fc.array(stroke, { maxLength: 4 }),
  }),
  typed: text,
  query: text.map((line) => line.replace(/\n/g, ' ')),
});

const reread = (own: OwnWork) => readOwnAddress(viewHash('objective') + ownAddress(own).address).own;

test('an address brings back what a person made: the picture to a fraction of its pixels, the captions to the letter', () => {
  fc.assert(
    fc.property(work, (own) => {
      const { picture, ...texts } = reread(own);
      expect(texts).toEqual({ typed: own.typed, query: own.query });
      expect(picture.ground).toBe(own.picture.ground);
      const near = (a: number, b: number) => expect(Math.abs(a - b)).toBeLessThan(1 / 1999);
      const words = ({ x: _, y: __, ...rest }: OwnWork['picture']['objects'][number]) => rest;
      expect(picture.objects.map(words)).toEqual(own.picture.objects.map(words));
      for (const [i, { x, y }] of own.picture.objects.entries()) {
        near(picture.objects[i].x, x);
        near(picture.objects[i].y, y);
      }
      expect(picture.strokes.map(({ colour }) => colour)).toEqual(own.picture.strokes.map(({ colour }) => colour));
      const numbers = ({ strokes }: OwnWork['picture']) => strokes.flatMap(({ points }) => points.flat());
      for (const [i, value] of numbers(own.picture).entries()) near(numbers(picture)[i], value);
      // An address that was read is written the same.
      expect(ownAddress(reread(own))).toEqual(ownAddress(own));
    }),
    { numRuns: 50 },
  );
});

test('work as it is at first takes no room', () => {
  expect(ownAddress(firstOwn)).toEqual({ address: '', leftOut: [] });
  expect(readOwnAddress('#view=objective&lab.seed=2')).toEqual({ own: firstOwn, problems: [] });
});

test('painted lines and captions that are too long are left out, and told; the objects are there still', () => {
  const points = Array.from({ length: 2000 }, (_, i) => [i / 2000, 0.5] as const);
  const picture = { ...firstOwn.picture, ground: 'navy' as const, strokes: [{ colour: 'pink' as const, points }] };
  const long = { picture, typed: 'a '.repeat(1001), query: 'é' };
  const { address, leftOut } = ownAddress(long);
  expect(leftOut).toEqual(['captions', 'lines']);
  expect(address.length).toBeLessThan(longestOwnAddress);
  expect(reread(long)).toEqual({ ...firstOwn, picture: { ...firstOwn.picture, ground: 'navy' }, query: 'é' });
});

test.each([
  'objects=red-circle-medium-filled-280',
  'objects=red-circle-medium-filled-280-50000',
  'objects=red-circle-medium-filled-280-500-grey',
  'objects=red-cube-medium-filled-280-500',
  'objects=red-circle-small-filled-280-500.red-circle-small-filled-280-500.red-circle-small-filled-280-500',
  'ground=mud',
  'lines=red-AAA',
  'lines=mauve-AAAA',
  `lines=red-${'AAAA'.repeat(2001)}`,
  'query=%E0%A4%A',
  `typed=${'a'.repeat(2001)}`,
])('what is wrong in an address stays as it is at first, and is told: %.40s', (wrong) => {
  const [name] = wrong.split('=');
  const { own, problems } = readOwnAddress(`#view=objective&lab.${wrong}`);
  expect(own).toEqual(firstOwn);
  expect(problems).toEqual([
    expect.stringMatching(`^has “.{1,41}” for “lab.${name}”, which takes .*; .*(instead|drawn)$`),
  ]);
});

test('an object of an address is moved whole into the picture', () => {
  const [object] = readOwnAddress('#view=objective&lab.objects=red-star-large-outline-0-9999-dark').own.picture.objects;
  expect(object).toEqual(movedTo({ ...object, x: 0, y: 1 }, 0, 1));
  expect(object).toMatchObject({ shape: 'star', tone: 'dark' });
});
