import { expect, test } from 'vitest';
import { clipTiny } from '../../clip/config.ts';
import { passKey } from '../../clip/encoderPass.ts';
import { expectClose } from '../../clip/testing/recorded.ts';
import fc from '../../properties.ts';
import { referenceZ, withPasses } from '../../road/testing/encodings.ts';
import {
  a1111,
  d,
  fakeZ,
  fragmentsOf,
  fragmentsWith,
  readers,
  someWeight,
  tokenizer,
} from '../../road/testing/prompts.ts';
import { compelPrompt, compelPromptDefaults } from '../../road/weightedPrompt.ts';
import { methodPasses } from '../apply.ts';
import type { WeightedPrompt, ZOf } from '../method.ts';
import { type MethodName, methods } from '../methods.ts';
import {
  benchPasses,
  compareMethods,
  comparingMethods,
  differenceMap,
  disagreement,
  rowChanges,
} from './compareMethods.ts';

const names = Object.keys(methods) as MethodName[];
const norm = (values: Iterable<number>) => Math.sqrt([...values].reduce((sum, value) => sum + value * value, 0));

test.each([
  // The prompt; the empty one; masked, removed and replaced by +.
  ['a (red:0.3) car', names, 5],
  ['a red car', names, 1],
  // The heavy word replaced, and all others for down_weight.
  ['a (red:1.3) car', names, 4],
  ['a (red:0.3) car', ['scale', 'original', 'adv-a1111'], 1],
  ['a (red:0.3) car', ['comfy', 'compel-mask', 'compel-remove'], 4],
  // ADV's share of the whole prompt is 0, but that is what all is compared with.
  ['a (red:0) car', ['adv-compel'], 2],
  ['a (red:0.3) car BREAK a dog', ['comfy', 'compel-mask', 'adv-compel'], 5],
  ['a (red:0.3) car', [], 1],
] as [string, MethodName[], number][])('passes of "%s" by %j', (text, some, count) => {
  const prompt = a1111(text);
  const passes = benchPasses(prompt, some);
  expect(passes).toHaveLength(count);
  withPasses(passes, fakeZ, (zOf) => compareMethods(prompt, zOf, some));
});

test('any prompt is compared from its passes alone, and each of them is needed', () => {
  const reader = fc.constantFrom(...Object.values(readers));
  fc.assert(
    fc.property(fragmentsWith(someWeight), reader, fc.subarray(names), (fragments, read, some) => {
      const prompt = read(fragments);
      const separately = new Set(
        (['none', ...some] as const).flatMap((name) => methodPasses(methods[name], prompt).map(passKey)),
      );
      const passes = benchPasses(prompt, some);
      expect(new Set(passes.map(passKey))).toEqual(separately);
      withPasses(passes, fakeZ, (zOf) => compareMethods(prompt, zOf, some));
    }),
    { numRuns: 40 },
  );
});

test('the numbers of a row and the totals are what their names say', () => {
  fc.assert(
    fc.property(fragmentsWith(someWeight), (fragments) => {
      const { rows, unweighted, methods: compared } = compareMethods(readers.a1111(fragments), fakeZ, names);
      expect(compared.map(({ name }) => name)).toEqual(names);
      for (const { conditioning, distances, cosines, normRatios, changedRows, nonFiniteRows, totals } of compared) {
        fc.pre(nonFiniteRows.length === 0);
        const difference = conditioning.map((value, i) => value - unweighted[i]);
        for (let row = 0; row < rows; row += 7) {
          const [a, b, delta] = [conditioning, unweighted, difference].map((z) => z.subarray(row * d, (row + 1) * d));
          expect(distances[row] / Math.max(norm(delta), 1)).toBeCloseTo(norm(delta) / Math.max(norm(delta), 1), 6);
          if (norm(a) * norm(b) > 0) {
            const cosine = a.reduce((sum, value, i) => sum + value * b[i], 0) / (norm(a) * norm(b));
            expect(cosines[row]).toBeCloseTo(cosine, 6);
            expect(normRatios[row]).toBe(Math.sqrt(norm2(a) / norm2(b)));
          } else expect(cosines[row]).toBeNaN();
        }
        expect(changedRows).toEqual([...distances.keys()].filter((row) => distances[row] !== 0));
        expectClose('‖Δ‖', [totals.distance], [norm(distances)], 0, 1e-9);
        expectClose('norms', [totals.normRatio], [norm(conditioning) / norm(unweighted)], 1e-9, 1e-9);
        const defined = cosines.filter((cosine) => !Number.isNaN(cosine));
        // A mean of exactly 0, restored, is a conditioning of zeros.
        if (defined.length === 0) expect(totals.meanCosine).toBeNaN();
        else expectClose('cosine', [totals.meanCosine], [defined.reduce((a, b) => a + b, 0) / defined.length], 1e-12);
      }
    }),
    { numRuns: 20 },
  );
});

function norm2(values: Iterable<number>): number {
  return [...values].reduce((sum, value) => sum + value * value, 0);
}

test('without weights nothing changes, by no method', () => {
  for (const { changedRows, nonFiniteRows, cosines, normRatios, totals } of compareMethods(a1111('a cat'), fakeZ, names)
    .methods) {
    expect([changedRows, nonFiniteRows]).toEqual([[], []]);
    expect(totals).toEqual({ distance: 0, meanCosine: 1, normRatio: 1 });
    expect([...cosines, ...normRatios].every((value) => value === 1)).toBe(true);
  }
});

test('on the tiny encoder: scale leaves directions, and changes the weighted rows alone', async () => {
  const zOf = (await referenceZ(clipTiny))(1);
  const { methods: compared } = compareMethods(a1111('a (red car:1.5) and (grass:-2)'), zOf, [
    'scale',
    'comfy',
    'original',
  ]);
  const [scale, comfy, original] = compared;
  expect(scale.changedRows).toEqual([2, 3, 5]);
  expect(comfy.changedRows).toEqual([2, 3, 5]);
  expect(original.changedRows).toHaveLength(77);
  expectClose('ratios', scale.normRatios.slice(2, 6), [1.5, 1.5, 1, 2], 1e-6);
  expectClose('cosines', scale.cosines.slice(2, 6), [1, 1, 1, -1], 1e-6);
  expect(comfy.cosines[2]).toBeLessThan(0.999);
});

/** Everything 1 in rows 1 and 2, so that a weight of −1 there leaves a mean of 0. */
const cancelling: ZOf = ({ inputIds }) =>
  Float32Array.from({ length: inputIds.length * d }, (_, i) => ([1, 2].includes(Math.floor(i / d)) ? 1 : 0));

test('a mean ratio that is not finite is told row by row, and the totals have nothing to be made of', () => {
  const prompt = a1111('a (cat:-1)');
  const comparison = compareMethods(prompt, cancelling, ['original', 'scale']);
  const [original, scale] = comparison.methods;
  // 0 · ∞ elsewhere is not a number either.
  expect(original.nonFiniteRows).toHaveLength(77);
  expect(original.changedRows).toHaveLength(77);
  expect(original.distances.every(Number.isNaN)).toBe(true);
  expect(original.totals).toEqual({ distance: Number.NaN, meanCosine: Number.NaN, normRatio: Number.NaN });
  expect(scale.nonFiniteRows).toEqual([]);
  expect(scale.totals.distance).toBeCloseTo(2 * Math.sqrt(d), 12);
  const { rows, methods: order } = disagreement(comparison);
  expect(order).toEqual([
    { name: 'original', distance: Number.NaN, nonFiniteRows: 77 },
    { name: 'scale', distance: Number.NaN, nonFiniteRows: 0 },
  ]);
  expect(rows[0]).toEqual({ row: 0, distance: Number.NaN, between: null, nonFinite: ['original'] });
});

test('one row that is not finite leaves the totals of the others', () => {
  const prompt = a1111('a (cat:1.5) (dog:2)');
  const chunks = prompt.chunks.map((chunk) => ({
    ...chunk,
    perTokenWeights: chunk.perTokenWeights.with(2, Number.POSITIVE_INFINITY),
  }));
  const [{ nonFiniteRows, changedRows, distances, totals }] = compareMethods({ ...prompt, chunks }, fakeZ, [
    'scale',
  ]).methods;
  const z = fakeZ(prompt.chunks[0].pass);
  expect([nonFiniteRows, changedRows]).toEqual([[2], [2, 3]]);
  expect(distances[2]).toBeNaN();
  expect(totals.distance).toBeCloseTo(norm(z.subarray(3 * d, 4 * d)), 12);
});

test('a zero row has no cosine', () => {
  const [{ cosines, normRatios, totals }] = compareMethods(a1111('a (cat:0)'), fakeZ, ['scale']).methods;
  expect(cosines[2]).toBeNaN();
  expect(normRatios[2]).toBe(0);
  expect(totals.meanCosine).toBe(1);
  const zeros: ZOf = ({ inputIds }) => new Float32Array(inputIds.length * d);
  expect(compareMethods(a1111('a cat'), zeros, ['scale']).methods[0].totals.meanCosine).toBeNaN();
});

test('the difference of two methods, and its rows', () => {
  const { methods: compared } = compareMethods(a1111('a (cat:1.5)'), fakeZ, ['scale', 'comfy']);
  const [a, b] = compared.map(({ conditioning }) => conditioning);
  const { difference, distances, nonFiniteRows } = differenceMap(a, b, d);
  expect([...difference]).toEqual(Array.from(a, (value, i) => Math.fround(value - b[i])));
  expect([...distances.keys()].filter((row) => distances[row] !== 0)).toEqual([2]);
  expect(distances[2]).toBeCloseTo(norm(difference.subarray(2 * d, 3 * d)), 5);
  expect(nonFiniteRows).toEqual([]);
  const infinite = differenceMap(a.with(4, Number.POSITIVE_INFINITY), b.with(4, Number.POSITIVE_INFINITY), d);
  expect(infinite.nonFiniteRows).toEqual([1]);
  expect(infinite.distances[1]).toBeNaN();
  expect(() => differenceMap(a, b.subarray(d), d)).toThrow('Conditionings of 77 and 76 rows');
});

test('rows and methods in order of their disagreement', () => {
  const comparison = compareMethods(a1111('a (cat:1.5) (dog:3)'), fakeZ, ['none', 'scale', 'comfy']);
  const { rows, methods: order } = disagreement(comparison);
  expect(rows.map(({ row }) => row).toSorted((a, b) => a - b)).toEqual([...Array(77).keys()]);
  expect(
    rows
      .slice(0, 2)
      .map(({ row }) => row)
      .toSorted(),
  ).toEqual([2, 3]);
  const pairs = [
    [0, 1],
    [0, 2],
    [1, 2],
  ].map(([i, j]) => {
    const [a, b] = [comparison.methods[i], comparison.methods[j]];
    return { names: [a.name, b.name], ...differenceMap(a.conditioning, b.conditioning, d) };
  });
  for (const { row, distance, between } of rows) {
    const largest = Math.max(...pairs.map(({ distances }) => distances[row]));
    expect(distance).toBe(largest);
    expect(pairs.find(({ names }) => String(names) === String(between))!.distances[row]).toBe(largest);
  }
  for (const { name, distance } of order) {
    const own = pairs.filter(({ names }) => names.includes(name)).map(({ distances }) => norm(distances));
    expect(distance).toBeCloseTo((own[0] + own[1]) / 2, 9);
  }
  expect(order.map(({ distance }) => distance)).toEqual(
    order.map(({ distance }) => distance).toSorted((a, b) => b - a),
  );
  // Rows that agree are last, in their order.
  expect(rows.at(-1)).toMatchObject({ row: 76, distance: 0 });
});

test('conditionings of unequal length are completed with the empty prompt', () => {
  const long = Array(70).fill('cat').join(' ');
  const prompt: WeightedPrompt = { ...a1111('a (cat:0.5)'), batch: [a1111(`${long} BREAK a (dog:0.5)`).chunks] };
  const passes = benchPasses(prompt, ['original', 'scale']);
  const {
    rows,
    unweighted,
    methods: compared,
  } = withPasses(passes, fakeZ, (zOf) => compareMethods(prompt, zOf, ['original', 'scale']));
  expect(rows).toBe(154);
  expect(unweighted.slice(77 * d)).toEqual(fakeZ(prompt.empty));
  expect(compared[1].changedRows).toEqual([2]);
  const split = compelPrompt(
    fragmentsOf([
      ['cat '.repeat(10), 0.5],
      ['dog '.repeat(70), 1],
    ]),
    tokenizer,
    {
      ...compelPromptDefaults,
      truncate: false,
    },
  );
  expect(compareMethods(split, fakeZ, names).rows).toBe(154);
});

test('methods are compared a chunk a slice, to the same numbers', () => {
  const prompt = a1111(`${'a cat '.repeat(60)}(dog:1.5) ${'fog '.repeat(60)}(sea:0.5)`);
  expect(prompt.chunks).toHaveLength(3);
  const work = comparingMethods(prompt, fakeZ, ['original', 'scale']);
  let slices = 0;
  for (;;) {
    const { done, value } = work.next();
    slices++;
    if (!done) continue;
    const [original] = value.methods;
    const whole = rowChanges(original.conditioning, value.unweighted, d);
    expect(original).toEqual({ name: 'original', conditioning: original.conditioning, ...whole });
    break;
  }
  // Three conditionings of three chunks, and two comparisons with the one without weights.
  expect(slices).toBeGreaterThanOrEqual(5 * 3);
});
