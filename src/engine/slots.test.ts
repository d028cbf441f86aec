import { expect, test } from 'vitest';
import type { EncoderPass } from '../clip/encoderPass.ts';
import { encoderPass, type MaskMode } from '../clip/masks.ts';
import { firstChangedRow, paddingStart, placePasses, rowRanges, type Slot } from './slots.ts';

const pass = (ids: readonly number[], mask: MaskMode = 'causal'): EncoderPass =>
  encoderPass(
    Uint32Array.from({ length: 77 }, (_, i) => [49406, ...ids][i] ?? 49407),
    mask,
  );
const words = Array.from({ length: 60 }, (_, i) => 320 + i);
const holding = (...held: (EncoderPass | undefined)[]): Slot[] =>
  held.map((one, i) => ({ pass: one, rows: one ? 77 : 0, used: i }));
const places = (slots: readonly Slot[], ...passes: EncoderPass[]) => placesBeside([], slots, ...passes);
const placesBeside = (alsoNeeded: readonly EncoderPass[], slots: readonly Slot[], ...passes: EncoderPass[]) =>
  placePasses(slots, passes, alsoNeeded).map(({ slot, first }) => [slot, first]);

test('the first row that can differ', () => {
  expect(firstChangedRow(pass(words), pass(words))).toBe(77);
  expect(firstChangedRow(pass(words), pass(words.with(5, 1)))).toBe(6);
  expect(firstChangedRow(pass(words, 'none'), pass(words, 'none'))).toBe(77);
  expect(firstChangedRow(pass(words, 'none'), pass(words.with(5, 1), 'none'))).toBe(0);
  expect(firstChangedRow(pass(words, 'none'), pass(words))).toBe(0);
  expect(firstChangedRow(pass(words), pass(words, 'hf'))).toBe(62);
  const vectors = new Map([[4, Float32Array.of(1, 2)]]);
  expect(firstChangedRow({ ...pass(words), vectors }, pass(words))).toBe(4);
  expect(firstChangedRow({ ...pass(words), vectors }, { ...pass(words), vectors: new Map(vectors) })).toBe(77);
});

test('padding starts after EOS, or nowhere', () => {
  expect(paddingStart(pass(words.slice(0, 5)))).toBe(7);
  expect(paddingStart(pass([]))).toBe(2);
  expect(paddingStart(pass(Array.from({ length: 75 }, () => 320)))).toBe(77);
  expect(paddingStart(pass(Array.from({ length: 76 }, () => 320)))).toBe(77);
  expect(paddingStart({ ...pass([320]), vectors: new Map([[9, new Float32Array(2)]]) })).toBe(11);
});

test('a pass goes where most of it is, whatever its place', () => {
  const [a, b] = [pass(words), pass([7, ...words])];
  expect(places(holding(a, b), b, a)).toEqual([
    [1, 77],
    [0, 77],
  ]);
  expect(places(holding(a, b), pass([7, ...words].with(50, 1)))).toEqual([[1, 51]]);
  const partly: Slot[] = [{ pass: a, rows: 30, used: 0 }];
  expect(places(partly, a)).toEqual([[0, 30]]);
});

test('what nothing is kept of takes the place that was not used for longest', () => {
  const [first, second] = holding(pass(words), pass([7, ...words]));
  expect(places([{ ...first, used: 9 }, second], pass([1]))).toEqual([[1, 1]]);
});

test('what else is needed is not overwritten while there is another place, and then the least of it', () => {
  const prompt = pass(words);
  const without = pass(words.with(3, 1));
  const negative = pass([1, 2]);
  const needed = [prompt, without, negative];
  // Four rows are there, and are better lost than the whole prompt.
  expect(placesBeside(needed, holding(prompt, undefined), without)).toEqual([[1, 0]]);
  expect(placesBeside(needed, holding(prompt, without, undefined), negative)).toEqual([[2, 0]]);
  // The prompt from before the edit is what nobody needs.
  const edited = [words.with(59, 1), words.with(3, 1).with(59, 1)].map((ids) => pass(ids));
  expect(placesBeside([...edited, negative], holding(prompt, without, negative), edited[0])).toEqual([[0, 60]]);
  expect(placesBeside([...edited, negative], holding(edited[0], without, negative), edited[1])).toEqual([[1, 60]]);
  expect(placesBeside([...edited, negative], holding(...edited, negative), pass([9]))).toEqual([[2, 1]]);
  expect(placesBeside(needed, holding(negative, prompt), prompt)).toEqual([[1, 77]]);
  // Side by side, and not in the place of the prompt between them.
  expect(placesBeside([prompt], holding(undefined, prompt, undefined, undefined), pass([7]), pass([8]))).toEqual([
    [2, 0],
    [3, 0],
  ]);
});

test('of several to compute, those that keep less than half are new, side by side and in order', () => {
  const held = holding(undefined, pass(words), undefined, pass([7, ...words]));
  expect(places(held, pass(words.with(9, 1)), pass([7, 8]), pass([9]))).toEqual([
    [0, 0],
    [1, 0],
    [2, 0],
  ]);
  expect(places(held, pass(words.with(50, 1)), pass([7, 8]))).toEqual([
    [1, 51],
    [3, 0],
  ]);
  // The other one is there already, so this one is alone.
  expect(places(held, pass(words.with(9, 1)), pass([7, ...words]))).toEqual([
    [1, 10],
    [3, 77],
  ]);
});

test('rows up to EOS are split from the padding, unless all rows depend on it', () => {
  const short = pass(words.slice(0, 20));
  const one = (first: number, of = short) => [{ pass: of, slot: 1, first }];
  const range = (first: number, end: number) => ({ slot: 1, passes: 1, first, end });
  expect(rowRanges(one(20), 77, true)).toEqual({ now: [range(20, 22)], later: [range(22, 77)] });
  expect(rowRanges(one(20), 77, false)).toEqual({ now: [range(20, 77)], later: [] });
  expect(rowRanges(one(0, pass(words, 'none')), 77, true)).toEqual({ now: [range(0, 77)], later: [] });
  expect(rowRanges(one(30), 77, true)).toEqual({ now: [range(30, 77)], later: [] });
  expect(rowRanges(one(77), 77, true)).toEqual({ now: [], later: [] });
});

test('new passes side by side are one range', () => {
  const placed = [3, 0, 1, 5].map((slot) => ({ pass: pass(words), slot, first: slot === 5 ? 40 : 0 }));
  expect(rowRanges(placed, 77, true).now).toEqual([
    { slot: 3, passes: 1, first: 0, end: 62 },
    { slot: 0, passes: 2, first: 0, end: 77 },
    { slot: 5, passes: 1, first: 40, end: 62 },
  ]);
});
