import { describe, expect, test } from 'vitest';
import { clipTiny } from '../../clip/config.ts';
import { passKey } from '../../clip/encoderPass.ts';
import { type MaskMode, maskModes } from '../../clip/masks.ts';
import { expectClose } from '../../clip/testing/recorded.ts';
import fc from '../../properties.ts';
import { chunkA1111 } from '../../tokens/chunks/a1111Chunks.ts';
import { applyMethod } from '../../weighting/apply.ts';
import { rowSumsOf, sharedMeans } from '../../weighting/means.ts';
import { maskedRows, type WeightedPrompt, type ZOf } from '../../weighting/method.ts';
import { type MethodName, methods } from '../../weighting/methods.ts';
import { compareMethods } from '../../weighting/study/compareMethods.ts';
import { referenceZ, withPasses } from '../testing/encodings.ts';
import { a1111, d, fakeZ, fragmentsOf, fragmentsWith, readers, someWeight, tokenizer } from '../testing/prompts.ts';
import { compelPrompt, weightedPrompt } from '../weightedPrompt.ts';
import { listingSweepPasses, meanBand, sweep, sweepPasses, withSpanWeight } from './sweep.ts';

const names = Object.keys(methods) as MethodName[];
const weights = Array.from({ length: 41 }, (_, i) => -1 + i / 10);
/** Row 2 of "a red car". */
const redAt = (weight: number) => withSpanWeight(a1111('a (red:1.5) car'), [2], weight);

describe('withSpanWeight', () => {
  const parts = (weight: number) =>
    fragmentsOf([
      ['a', 1.25],
      ['red cat', 0.5],
      ['sunset on grass', weight],
      ['dog', 0.75],
    ]);
  const read = (weight: number, mask: MaskMode) => weightedPrompt(chunkA1111(parts(weight), tokenizer).chunks, mask);

  test('is the prompt with that weight typed', () => {
    const weight = fc.constantFrom(-1, 0, 0.5, 0.999, 1, 1.5, 3);
    fc.assert(
      fc.property(weight, weight, fc.constantFrom(...maskModes), (before, after, mask) => {
        expect(withSpanWeight(read(before, mask), [4, 5, 6], after)).toEqual(read(after, mask));
      }),
      { numRuns: 30 },
    );
  });

  test('the order in which two spans are weighed is nothing to any method', () => {
    const weight = fc.constantFrom(-1, 0, 0.25, 0.5, 1, 1.5, 2);
    fc.assert(
      fc.property(
        fragmentsWith(someWeight),
        weight,
        weight,
        fc.integer({ min: 1, max: 20 }),
        (fragments, u, v, split) => {
          const prompt = readers.a1111(fragments);
          const [first, second] = [[split], [split + 1, split + 3]];
          const one = withSpanWeight(withSpanWeight(prompt, first, u), second, v);
          const other = withSpanWeight(withSpanWeight(prompt, second, v), first, u);
          expect(one).toEqual(other);
          for (const name of names)
            expect(applyMethod(methods[name], one, fakeZ)).toEqual(applyMethod(methods[name], other, fakeZ));
        },
      ),
      { numRuns: 20 },
    );
  });

  test('a light fragment loses the rows of the span, and all of it goes where nothing is left', () => {
    const prompt = a1111('a (red cat:0.5) car');
    const rowsOf = (weighed: WeightedPrompt) =>
      weighed.downweighted.map((fragment) => [fragment.weight, maskedRows(weighed, fragment)]);
    expect(rowsOf(prompt)).toEqual([[0.5, [2, 3]]]);
    expect(rowsOf(withSpanWeight(prompt, [3], 2))).toEqual([[0.5, [2]]]);
    expect(rowsOf(withSpanWeight(prompt, [3], 0.25))).toEqual([
      [0.5, [2]],
      [0.25, [3]],
    ]);
    expect(rowsOf(withSpanWeight(prompt, [2, 3], 1))).toEqual([]);
  });

  test('a row that is not there is refused in words', () => {
    expect(() => withSpanWeight(a1111('a'), [77], 1)).toThrow('no row 77 to weigh: take rows from 0 to 76.');
  });
});

test('the passes of a whole sweep are few', () => {
  // The prompt; the empty one; red masked, removed, replaced; all but red replaced, by down_weight.
  expect(sweepPasses(redAt, weights, names)).toHaveLength(6);
  expect(sweepPasses(redAt, weights, ['scale', 'original', 'adv-a1111'])).toHaveLength(1);
  expect(sweepPasses(redAt, weights, ['comfy'])).toHaveLength(2);
  expect(sweepPasses(redAt, weights, ['compel-mask'])).toHaveLength(3);
  expect(sweepPasses(redAt, [1.1, 1.2, 2.5], ['compel-mask'])).toHaveLength(2);
  const finer = Array.from({ length: 101 }, (_, i) => -1 + i / 25);
  expect(sweepPasses(redAt, finer, names)).toHaveLength(6);
});

test('no slice of listing the passes makes more than one prompt or asks more than one method', () => {
  let prompts = 0;
  const slices = listingSweepPasses(
    (weight) => {
      prompts++;
      return redAt(weight);
    },
    [0.5, 2],
    names,
  );
  const before: number[] = [];
  while (!slices.next().done) before.push(prompts);
  const ofOne = names.length + 2;
  expect(before).toEqual([...Array(ofOne).fill(1), ...Array(ofOne).fill(2)]);
});

test('a sweep reads its passes, each of them and no other', () => {
  const reader = fc.constantFrom(...Object.values(readers));
  const some = fc.array(fc.constantFrom(-1, 0, 0.5, 1, 1.5, 3), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fragmentsWith(someWeight), reader, some, (fragments, read, values) => {
      const prompt = read(fragments);
      const promptAt = (weight: number) => withSpanWeight(prompt, [1, 2], weight);
      const asked = new Set(sweepPasses(promptAt, values, names).map(passKey));
      const zOf: ZOf = (pass) => {
        if (!asked.has(passKey(pass))) expect.fail(`not among the passes: ${pass.inputIds}`);
        return fakeZ(pass);
      };
      sweep(promptAt, [1, 2], zOf, values, names);
    }),
    { numRuns: 30 },
  );
  withPasses(sweepPasses(redAt, weights, names), fakeZ, (zOf) => sweep(redAt, [2], zOf, weights, names));
});

test('norms and cosines are those of the conditionings', () => {
  const reader = fc.constantFrom(...Object.values(readers));
  fc.assert(
    fc.property(fragmentsWith(someWeight), reader, fc.constantFrom(-1, 0.25, 1, 1.5, 3), (fragments, read, weight) => {
      const prompt = read(fragments);
      const rows = [1, 2, 4];
      const promptAt = (value: number) => withSpanWeight(prompt, rows, value);
      const swept = sweep(promptAt, rows, fakeZ, [weight], names);
      const { methods: compared, unweighted } = compareMethods(promptAt(weight), fakeZ, names);
      const normOf = (z: Float32Array, row: number) => Math.hypot(...z.subarray(row * d, (row + 1) * d));
      const mean = (valueAt: (row: number) => number) => rows.reduce((sum, row) => sum + valueAt(row), 0) / rows.length;
      expect(swept.unweightedNorm).toBeCloseTo(
        mean((row) => normOf(unweighted, row)),
        9,
      );
      compared.forEach(({ conditioning, cosines, nonFiniteRows }, i) => {
        const { norms, cosines: sweptCosines } = swept.methods[i];
        if (nonFiniteRows.length > 0) {
          expect(norms[0]).not.toSatisfy(Number.isFinite);
          return;
        }
        const norm = mean((row) => normOf(conditioning, row));
        expectClose('norm', norms, [norm], 1e-5, 1e-5);
        if (rows.every((row) => normOf(conditioning, row) > 1e-3))
          expectClose('cosine', sweptCosines, [mean((row) => cosines[row])], 1e-5);
      });
    }),
    { numRuns: 40 },
  );
});

test('scale grows with |w|, turns round below 0, and has no direction at 0', () => {
  const [{ norms, cosines, means }] = sweep(redAt, [2], fakeZ, [-1, 0, 1, 3], ['scale']).methods;
  const [, , one] = norms;
  expectClose('norms', norms, [one, 0, one, 3 * one], 1e-12, 1e-12);
  expect([...cosines]).toEqual([-1, Number.NaN, 1, 1]);
  expect(means).toEqual([]);
});

test('everything is as it was at a weight of 1', () => {
  const swept = sweep((weight) => withSpanWeight(a1111('a red car'), [2], weight), [2], fakeZ, [1], names);
  for (const { norms, cosines, means } of swept.methods) {
    expectClose('norm', norms, [swept.unweightedNorm], 1e-12, 1e-12);
    expectClose('cosine', cosines, [1], 1e-12);
    for (const { ratios } of means) expect([...ratios]).toEqual([1]);
  }
});

describe('the mean of A1111', () => {
  test('is 0 at its root: the ratio changes sign there, and is what the formula says', () => {
    fc.assert(
      fc.property(
        fragmentsWith(someWeight),
        fc.constantFrom<MethodName>('original', 'adv-a1111'),
        (fragments, name) => {
          const prompt = readers.a1111(fragments);
          const promptAt = (weight: number) => withSpanWeight(prompt, [1, 2], weight);
          const [{ means }] = sweep(promptAt, [1, 2], fakeZ, [0.5], [name]).methods;
          expect(means).toHaveLength(1);
          const [{ meanRoot: root, ratios, chunk }] = means;
          expect(chunk).toBe(name === 'original' ? 0 : null);
          const chunksOf = (weighed: WeightedPrompt) => (chunk === null ? weighed.chunks : [weighed.chunks[chunk]]);
          const sums = (weight: number) => {
            let [total, magnitude] = [0, 1];
            for (const { pass, perTokenWeights } of chunksOf(promptAt(weight)))
              fakeZ(pass).forEach((value, i) => {
                const weighted = value * perTokenWeights[Math.floor(i / d)];
                total += weighted;
                magnitude += Math.abs(weighted);
              });
            return { total, magnitude };
          };
          const { total } = sums(0.5);
          const before = chunksOf(prompt).reduce((sum, { pass }) => sum + fakeZ(pass).reduce((a, b) => a + b, 0), 0);
          expect(ratios[0]).toBe(before / total);
          if (root === null) {
            expect(sums(2).total).toBe(sums(-1).total);
            return;
          }
          const at = sums(root);
          expect(Math.abs(at.total)).toBeLessThan(1e-12 * at.magnitude);
          const sides = [root - 1e-3, root + 1e-3].map((weight) => Math.sign(sums(weight).total));
          expect(sides[0]).toBe(-sides[1]);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('by hand: two rows of 1 cancel at −1', () => {
    const zOf: ZOf = ({ inputIds }) => Float32Array.from(inputIds, (_, row) => (row === 1 || row === 2 ? 1 : 0));
    const [{ means, norms }] = sweep(redAt, [2], zOf, [-1, -0.5, 1], ['original']).methods;
    expect(means).toEqual([{ chunk: 0, ratios: Float64Array.of(Number.POSITIVE_INFINITY, 4, 1), meanRoot: -1 }]);
    expect(norms[0]).toBe(Number.POSITIVE_INFINITY);
    expect(norms[1]).toBe(2);
  });

  test('is a tenth of what it was at the ends of the band', () => {
    fc.assert(
      fc.property(fragmentsWith(someWeight), (fragments) => {
        const prompt = readers.a1111(fragments);
        const promptAt = (weight: number) => withSpanWeight(prompt, [1, 2], weight);
        const meansAt = (values: readonly number[]) =>
          sweep(promptAt, [1, 2], fakeZ, values, ['original']).methods[0].means[0];
        const band = meanBand(meansAt([-1, 0.5, 3]), [-1, 0.5, 3]);
        if (band === null) return;
        // A prompt in which nothing weighs has the ratio 1 whatever its sums.
        if (band.from === 1 || band.to === 1) return;
        for (const ratio of meansAt([band.from, band.to]).ratios) expect(Math.abs(ratio)).toBeCloseTo(10, 6);
      }),
      { numRuns: 40 },
    );
    expect(meanBand({ chunk: 0, ratios: Float64Array.of(1), meanRoot: null }, [2])).toBeNull();
    // A mean that was 0 before has no tenth.
    expect(meanBand({ chunk: 0, ratios: Float64Array.of(0), meanRoot: -1 }, [2])).toBeNull();
  });

  test('is nowhere 0 where the span has no part in it', () => {
    const zOf: ZOf = ({ inputIds }) => Float32Array.from(inputIds, (_, row) => (row === 2 ? 0 : 1));
    for (const { means } of sweep(redAt, [2], zOf, [2], ['original', 'adv-a1111']).methods)
      expect(means).toMatchObject([{ meanRoot: null }]);
  });

  test('is one for each chunk of the span, and shared with the batch', () => {
    const prompt = { ...a1111('a (red:1.5) car BREAK a dog'), batch: [a1111('a (cat:2)').chunks] };
    const promptAt = (weight: number) => withSpanWeight(prompt, [2, 79], weight);
    const { methods: swept } = withPasses(sweepPasses(promptAt, [0.5, 2], ['original']), fakeZ, (zOf) =>
      sweep(promptAt, [2, 79], zOf, [0.5, 2], ['original']),
    );
    expect(swept[0].means.map(({ chunk }) => chunk)).toEqual([0, 1]);
    const alone = sweep((weight) => ({ ...promptAt(weight), batch: [] }), [2], fakeZ, [0.5, 2], ['original']);
    expect(alone.methods[0].means[0].meanRoot).not.toBe(swept[0].means[0].meanRoot);
    // At 1 nothing of the second chunk is weighted, and nothing of the batch is read for it.
    const still = withPasses(sweepPasses(promptAt, [1], ['original']), fakeZ, (zOf) =>
      sweep(promptAt, [79], zOf, [1], ['original']),
    );
    expect(still.methods[0].means[0].meanRoot).toBeNull();
  });

  test('has its root near where the tiny encoder says', async () => {
    const zOf = (await referenceZ(clipTiny))(1);
    const [{ means }] = sweep(redAt, [2], zOf, [1], ['adv-a1111']).methods;
    const root = means[0].meanRoot!;
    const ratioAt = (weight: number) => sharedMeans(redAt(weight).chunks, rowSumsOf(zOf)).ratio;
    const [above, below] = [ratioAt(root + 1e-3), ratioAt(root - 1e-3)];
    expect(above / below).toBeCloseTo(-1, 6);
  });
});

test('a prompt made anew for each weight', () => {
  const promptAt = (weight: number) =>
    compelPrompt(
      fragmentsOf([
        ['a', 1],
        ['red', weight],
        ['car', 1],
      ]),
      tokenizer,
    );
  const mask = sweep(promptAt, [2], fakeZ, weights, ['compel-mask']).methods[0];
  const same = sweep((weight) => withSpanWeight(promptAt(1.5), [2], weight), [2], fakeZ, weights, ['compel-mask']);
  expectClose('norms', mask.norms, same.methods[0].norms, 1e-12);
});

test('nothing to sweep is refused in words', () => {
  expect(() => sweep(redAt, [], fakeZ, [1], names)).toThrow('choose some text of the prompt');
});

test('an output is read twice at most, for its rows and for their sums, however many the weights', () => {
  const readsOf = (values: readonly number[]) => {
    const reads = new Map<string, number>();
    const zOf: ZOf = (pass) => {
      reads.set(passKey(pass), (reads.get(passKey(pass)) ?? 0) + 1);
      return fakeZ(pass);
    };
    sweep(redAt, [2], zOf, values, names);
    return [...reads.values()];
  };
  expect(readsOf(weights).every((count) => count <= 2)).toBe(true);
  expect(readsOf(weights)).toHaveLength(6);
});
