import { expect, test } from 'vitest';
import { expectClose } from '../clip/testing/recorded.ts';
import fc from '../properties.ts';
import { withPasses } from '../road/testing/encodings.ts';
import { a1111, d as columns, fakeZ } from '../road/testing/prompts.ts';
import { applyMethod, methodPasses } from './apply.ts';
import { meanChange } from './means.ts';
import type { Method, WeightedPrompt, ZOf } from './method.ts';
import { original } from './original.ts';
import { moved } from './rows.ts';
import { scale } from './scale.ts';

const d = 4;
/** Small integers, so that float32 and float64 are exact. */
const integer = fc.integer({ min: -100, max: 100 });
const rowsAndWeights = (weight: fc.Arbitrary<number>) =>
  fc.integer({ min: 1, max: 6 }).chain((L) =>
    fc.record({
      z: fc.array(integer, { minLength: L * d, maxLength: L * d }).map((z) => Float32Array.from(z)),
      u: fc.array(weight, { minLength: L, maxLength: L }).map((w) => Float64Array.from(w)),
      v: fc.array(weight, { minLength: L, maxLength: L }).map((w) => Float64Array.from(w)),
    }),
  );
/** A prompt of one chunk with these weights. */
function chunkOf(weights: Float64Array): WeightedPrompt {
  const inputIds = new Uint32Array(weights.length);
  const pass = { inputIds, causal: true, keyMask: Uint8Array.from(inputIds, () => 1) };
  return { chunks: [{ pass, perTokenWeights: weights, wordIds: inputIds }], empty: pass, downweighted: [] };
}
const weigh = (method: Method, z: Float32Array, weights: Float64Array) =>
  applyMethod(method, chunkOf(weights), () => z);
const ratiosOf = (prompt: WeightedPrompt, zOf: ZOf) =>
  original.means(prompt).map((_, at) => meanChange(original.means(prompt), at, zOf)!.ratio);
const ratioOf = (z: Float32Array, weights: Float64Array) => ratiosOf(chunkOf(weights), () => z)[0];
const sum = (z: Iterable<number>) => [...z].reduce((a, b) => a + b, 0);

test('scale multiplies each row by its weight', () => {
  const z = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  expect(Array.from(weigh(scale, z, Float64Array.of(0.5, -2)))).toEqual([0.5, 1, 1.5, 2, -10, -12, -14, -16]);
});

test('scale is linear in the weights', () => {
  fc.assert(
    fc.property(rowsAndWeights(integer), integer, integer, ({ z, u, v }, a, b) => {
      const together = weigh(
        scale,
        z,
        u.map((w, i) => a * w + b * v[i]),
      );
      const [fromU, fromV] = [weigh(scale, z, u), weigh(scale, z, v)];
      together.forEach((value, i) => {
        expect(Math.abs(value - (a * fromU[i] + b * fromV[i]))).toBe(0);
      });
    }),
  );
});

test('original is scale times the ratio of the means of all elements', () => {
  const z = Float32Array.of(1, 2, 3, 4, -1, 0, 0, 1);
  const weights = Float64Array.of(3, 1);
  expect(ratioOf(z, weights)).toBe(10 / 30);
  expect(Array.from(weigh(original, z, weights))).toEqual(
    Array.from(weigh(scale, z, weights), (value) => Math.fround(value * (10 / 30))),
  );
});

test('original keeps the mean, whatever factor all weights share', () => {
  const positive = fc.integer({ min: 1, max: 8 }).map((w) => w / 4);
  fc.assert(
    fc.property(rowsAndWeights(positive), fc.constantFrom(-4, -0.5, 0.25, 2), ({ z, u }, factor) => {
      // A mean of 0 has no ratio, although weights of 1 alone leave such rows as they are.
      fc.pre(sum(z) !== 0 && Number.isFinite(ratioOf(z, u)));
      const once = weigh(original, z, u);
      const magnitude = sum(once.map(Math.abs));
      expect(Math.abs(sum(once) - sum(z))).toBeLessThanOrEqual(1e-6 * magnitude);
      expect(
        weigh(
          original,
          z,
          u.map((w) => w * factor),
        ),
      ).toEqual(once);
    }),
  );
});

test('weights of 1 change nothing', () => {
  fc.assert(
    fc.property(rowsAndWeights(fc.constant(1)), ({ z, u }) => {
      expect(ratioOf(z, u)).toBe(1);
      expect(weigh(original, z, u)).toEqual(z);
      expect(weigh(scale, z, u)).toEqual(z);
    }),
  );
});

test('a mean of 0 shows as a ratio that is not finite', () => {
  const z = Float32Array.of(1, 1, 1, 1, 1, 1, 1, 1);
  expect(ratioOf(z, Float64Array.of(1, -1))).toBe(Number.POSITIVE_INFINITY);
  expect(
    ratioOf(
      z.map((v) => -v),
      Float64Array.of(1, -1),
    ),
  ).toBe(Number.NEGATIVE_INFINITY);
  expect(ratioOf(new Float32Array(8), Float64Array.of(1, 2))).toBeNaN();
  expect(ratioOf(z, Float64Array.of(1, -2))).toBe(-2);
  expect(Array.from(weigh(original, z, Float64Array.of(1, -1))).some(Number.isFinite)).toBe(false);
});

const batchOf = (...texts: string[]) => {
  const [prompt, ...others] = texts.map((text) => a1111(text));
  return { ...prompt, batch: others.map(({ chunks }) => chunks) };
};
const embedsOf = (prompt: ReturnType<typeof batchOf>) =>
  withPasses(methodPasses(original, prompt), fakeZ, (z) => applyMethod(original, prompt, z));

test('the texts of a batch share a mean chunk by chunk, each text as often as it is there', () => {
  const texts = ['a (cat:1.5)', 'a (cat:0.5)', 'a (cat:0.5)'];
  const rows = texts.map((text) => {
    const [{ pass, perTokenWeights }] = a1111(text).chunks;
    return { z: fakeZ(pass), weights: perTokenWeights };
  });
  const sums = rows.map(({ z, weights }) => [sum(z), sum(moved(z, null, weights))]);
  const [ratio, ...others] = ratiosOf(batchOf(...texts), fakeZ);
  expect(others).toEqual([]);
  expect(ratio).toBeCloseTo(sum(sums.map(([z]) => z)) / sum(sums.map(([, weighted]) => weighted)), 12);
  const [{ z, weights }] = rows;
  expectClose(
    'conditioning',
    embedsOf(batchOf(...texts)),
    Float32Array.from(moved(z, null, weights), (value) => value * ratio),
    0,
  );
});

test('texts of fewer chunks than others of the batch are completed with empty ones', () => {
  const [short, long] = [batchOf('a cat', 'a BREAK a (dog:0.5)'), batchOf('a BREAK a (dog:0.5)', 'a cat')];
  const ratios = ratiosOf(short, fakeZ);
  expect(ratiosOf(long, fakeZ)).toEqual(ratios);
  expect(ratios[0]).toBe(1);
  expect(ratios[1]).not.toBeCloseTo(1, 6);
  const embeds = embedsOf(short);
  expect(embeds).toHaveLength(2 * 77 * columns);
  const e = fakeZ(short.empty).map((value) => value * ratios[1]);
  expectClose('second chunk', embeds.slice(77 * columns), e, 1e-6);
  // The first chunks weigh 1 and need no other text; the second share a mean.
  expect(methodPasses(original, short)).toHaveLength(3);
});

test('a batch without weights changes nothing and needs no other text', () => {
  const prompt = batchOf('a cat', 'a dog', 'a red car');
  expect(methodPasses(original, prompt)).toEqual(methodPasses(original, a1111('a cat')));
  expect(embedsOf(prompt)).toEqual(fakeZ(prompt.chunks[0].pass));
});

test('where the weights cancel the mean, the ratio says so', () => {
  const ratios = (weight: number) =>
    ratiosOf(a1111(`a (cat:${weight})`), ({ inputIds }) =>
      Float32Array.from(inputIds, (_, row) => (row === 1 || row === 2 ? 1 : 0)),
    );
  expect(ratios(-1)).toEqual([Number.POSITIVE_INFINITY]);
  expect(ratios(-1.001)[0]).toBeCloseTo(-2000, 6);
  expect(ratios(-0.999)[0]).toBeCloseTo(2000, 6);
});
