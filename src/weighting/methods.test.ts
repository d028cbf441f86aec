import { describe, expect, test } from 'vitest';
import { passKey } from '../clip/encoderPass.ts';
import { maskModes } from '../clip/masks.ts';
import { expectClose } from '../clip/testing/recorded.ts';
import { parseComfy } from '../prompt/comfy/comfyPrompt.ts';
import fc from '../properties.ts';
import { withPasses } from '../road/testing/encodings.ts';
import { a1111, d, fakeZ, fragmentsWith, readers, someWeight, tokenizer } from '../road/testing/prompts.ts';
import { weightedPrompt } from '../road/weightedPrompt.ts';
import { chunkComfy, comfyUnits } from '../tokens/chunks/comfyChunks.ts';
import { applyMethod, methodPasses } from './apply.ts';
import { distinct, type WeightedPrompt } from './method.ts';
import { type MethodName, methods } from './methods.ts';
import { normaliseTokens, tokenNormalisations } from './normalise.ts';
import { concatenate } from './rows.ts';

const names = Object.keys(methods) as MethodName[];
const reader = fc.constantFrom(...Object.values(readers));

function combine(name: MethodName, prompt: WeightedPrompt): Float32Array {
  return applyMethod(methods[name], prompt, fakeZ);
}

function bare({ chunks }: WeightedPrompt): number[] {
  return [...concatenate(chunks.map(({ pass }) => fakeZ(pass)))];
}

/** The prompt with other token weights and the same passes. */
function reweighted(prompt: WeightedPrompt, change: (weight: number, row: number) => number): WeightedPrompt {
  const chunks = prompt.chunks.map((chunk) => ({
    ...chunk,
    perTokenWeights: chunk.perTokenWeights.map((weight, row) =>
      chunk.wordIds[row] === 0 ? weight : change(weight, row),
    ),
  }));
  return { ...prompt, chunks };
}

describe.each(names)('%s', (name) => {
  test('weights of 1 change nothing and need no more than the prompt itself', () => {
    fc.assert(
      fc.property(
        fragmentsWith(fc.constant(1)),
        reader,
        fc.constantFrom(...tokenNormalisations),
        (fragments, read, normalisation) => {
          const prompt = normaliseTokens(read(fragments), normalisation);
          expect([...combine(name, prompt)]).toEqual(bare(prompt));
          expect(methodPasses(methods[name], prompt)).toEqual(distinct(prompt.chunks.map(({ pass }) => pass)));
        },
      ),
      { numRuns: 30 },
    );
  });

  test('it reads each pass it asks for, no other, and none is asked for twice', () => {
    fc.assert(
      fc.property(fragmentsWith(someWeight), reader, (fragments, read) => {
        const prompt = read(fragments);
        const embeds = withPasses(methodPasses(methods[name], prompt), fakeZ, (z) =>
          applyMethod(methods[name], prompt, z),
        );
        expect(embeds.length).toBeGreaterThanOrEqual(prompt.chunks.length * 77 * d);
        expect(embeds.length % (77 * d)).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

test('in a batch with other texts too, each pass that is asked for is read, and no other', () => {
  fc.assert(
    fc.property(
      fc.array(fragmentsWith(someWeight), { minLength: 1, maxLength: 3 }),
      fc.constantFrom(...names),
      ([own, ...others], name) => {
        const prompt = { ...readers.a1111(own), batch: others.map((fragments) => readers.a1111(fragments).chunks) };
        withPasses(methodPasses(methods[name], prompt), fakeZ, (z) => applyMethod(methods[name], prompt, z));
      },
    ),
    { numRuns: 60 },
  );
});

test.each<MethodName>(['scale', 'comfy'])('%s leaves the rows that weigh 1 as they are', (name) => {
  const prompt = a1111('a (red:1.3) car');
  const [z, embeds] = [bare(prompt), combine(name, prompt)];
  const changed = z.flatMap((value, i) => (value === embeds[i] ? [] : Math.floor(i / d)));
  expect([...new Set(changed)]).toEqual([2]);
});

/** Passes of a one-chunk prompt. */
const counts: readonly (readonly [string, Partial<Record<MethodName, number>>])[] = [
  ['a red car', {}],
  // Up: from the empty prompt, or without each heavy word.
  [
    'a (red:1.3) car',
    { comfy: 2, 'compel-mask': 2, 'compel-remove': 2, 'adv-compel': 2, 'adv-comfy++': 2, 'adv-down-weight': 2 },
  ],
  [
    'a (red:1.3) (car:1.2)',
    { comfy: 2, 'compel-mask': 2, 'compel-remove': 2, 'adv-compel': 2, 'adv-comfy++': 3, 'adv-down-weight': 3 },
  ],
  // Down: one more for each light fragment, or for each weight below 1.
  [
    'a (red:0.3) car',
    { comfy: 2, 'compel-mask': 3, 'compel-remove': 3, 'adv-compel': 2, 'adv-comfy++': 2, 'adv-down-weight': 2 },
  ],
  [
    'a (red:0.3) (car:0.7)',
    { comfy: 2, 'compel-mask': 4, 'compel-remove': 4, 'adv-compel': 3, 'adv-comfy++': 3, 'adv-down-weight': 3 },
  ],
  [
    'a (red:0.3) and (car:0.3)',
    { comfy: 2, 'compel-mask': 4, 'compel-remove': 4, 'adv-compel': 2, 'adv-comfy++': 2, 'adv-down-weight': 2 },
  ],
  // By a weight of 0 nothing of the whole prompt is left in ADV's sum.
  ['a (red:0) car', { comfy: 2, 'compel-mask': 3, 'compel-remove': 3 }],
  [
    'a (red:0.3) (car:1.2)',
    { comfy: 2, 'compel-mask': 3, 'compel-remove': 3, 'adv-compel': 3, 'adv-comfy++': 3, 'adv-down-weight': 3 },
  ],
  // The empty prompt needs no other.
  ['', {}],
];

test.each(counts)('passes of "%s"', (text, expected) => {
  const prompt = a1111(text);
  const all = Object.fromEntries(names.map((name) => [name, methodPasses(methods[name], prompt).length]));
  expect(all).toEqual({ ...Object.fromEntries(names.map((name) => [name, 1])), ...expected });
});

test('a fragment masked in one chunk encodes no other chunk again', () => {
  const prompt = a1111('a (red:0.5) car BREAK a dog BREAK a (cat:1.2)');
  expect(prompt.chunks).toHaveLength(3);
  expect(methodPasses(methods['compel-mask'], prompt)).toHaveLength(3 + 1 + 1);
  expect(methodPasses(methods['adv-compel'], prompt)).toHaveLength(3 + 1 + 1);
  expect(methodPasses(methods.comfy, prompt)).toHaveLength(3 + 1);
});

test('another weight on the same side of 1 needs no pass that was not there', () => {
  const keys = (name: MethodName, up: number, down: number) =>
    methodPasses(methods[name], a1111(`a (red:${up}) car and (a dog:${down})`)).map(passKey);
  const isUp = fc.integer({ min: 101, max: 300 }).map((hundredths) => hundredths / 100);
  const isDown = fc.integer({ min: 1, max: 99 }).map((hundredths) => hundredths / 100);
  fc.assert(
    fc.property(fc.constantFrom(...names), isUp, isDown, (name, up, down) => {
      // Here what counts is the order of the weights: the dog's, that of what is not weighted, the car's.
      expect(keys(name, up, down)).toEqual(keys(name, 1.5, 0.5));
    }),
    { numRuns: 40 },
  );
});

test('scale is linear, and comfy affine, in the weights', () => {
  const integer = fc.integer({ min: -4, max: 4 });
  const rows = fc.array(integer, { minLength: 77, maxLength: 77 });
  fc.assert(
    fc.property(fragmentsWith(fc.constant(1)), rows, rows, integer, integer, (fragments, u, v, a, b) => {
      const prompt = readers.a1111(fragments);
      const by = (name: MethodName, weightAt: (row: number) => number) =>
        combine(name, { ...prompt, chunks: reweighted(prompt, (_, row) => weightAt(row)).chunks });
      const [su, sv] = [by('scale', (row) => u[row]), by('scale', (row) => v[row])];
      const [cu, cv] = [by('comfy', (row) => u[row]), by('comfy', (row) => v[row])];
      const isText = prompt.chunks.flatMap(({ wordIds }) => [...wordIds]).map((id) => id !== 0);
      const scaled = by('scale', (row) => a * u[row] + b * v[row]);
      const moved = by('comfy', (row) => a * u[row] + (1 - a) * v[row]);
      scaled.forEach((value, i) => {
        if (!isText[Math.floor(i / d)]) return;
        expect(Math.abs(value - (a * su[i] + b * sv[i]))).toBe(0);
        expect(Math.abs(moved[i] - (a * cu[i] + (1 - a) * cv[i]))).toBe(0);
      });
    }),
    { numRuns: 30 },
  );
});

test.each<MethodName>(['scale', 'original', 'adv-a1111', 'comfy'])(
  '%s: weighing one span and then another is weighing both, in either order',
  (name) => {
    const prompt = a1111('a red car and a blue bicycle');
    const weight = fc.constantFrom(-1, 0, 0.25, 0.5, 1.5, 2);
    fc.assert(
      fc.property(weight, weight, (first, second) => {
        const by = (weights: Record<number, number>, zOf = fakeZ) =>
          applyMethod(
            methods[name],
            reweighted(prompt, (_, row) => weights[row] ?? 1),
            zOf,
          );
        const [key] = prompt.chunks.map(({ pass }) => passKey(pass));
        const after = (z: Float32Array) => (pass: Parameters<typeof fakeZ>[0]) =>
          passKey(pass) === key ? z : fakeZ(pass);
        const both = by({ 2: first, 6: second });
        expectClose('first, then second', by({ 6: second }, after(by({ 2: first }))), both, 1e-5, 1e-5);
        expectClose('second, then first', by({ 2: first }, after(by({ 6: second }))), both, 1e-5, 1e-5);
      }),
    );
  },
);

test('the order in which fragments are weighed down is nothing to Compel, nor the numbers of the words to ADV', () => {
  fc.assert(
    fc.property(fragmentsWith(someWeight), reader, (fragments, read) => {
      const prompt = read(fragments);
      const backwards = { ...prompt, downweighted: prompt.downweighted.toReversed() };
      const chunks = prompt.chunks.map((chunk) => ({ ...chunk, wordIds: chunk.wordIds.map((id) => id && 1000 - id) }));
      for (const name of ['compel-mask', 'compel-remove'] as const)
        expectClose(name, combine(name, backwards), combine(name, prompt), 1e-5);
      expectClose('adv-comfy++', combine('adv-comfy++', { ...prompt, chunks }), combine('adv-comfy++', prompt), 1e-5);
    }),
    { numRuns: 40 },
  );
});

test('every method under every mask', () => {
  for (const mask of maskModes)
    for (const name of names) {
      const prompt = a1111('a (red:0.3) car, (sunset:1.4) BREAK (a dog:0.8)', mask);
      for (const pass of methodPasses(methods[name], prompt)) expect(pass.causal).toBe(mask !== 'none');
      expect(combine(name, prompt).every(Number.isFinite)).toBe(true);
    }
});

describe('numbers at the edge, as ComfyUI reads them', () => {
  const read = (weight: string, unit = comfyUnits[0]) =>
    weightedPrompt(chunkComfy(parseComfy(`a (cat:${weight}) sat`).fragments, tokenizer, [], { unit }).chunks, 'causal');
  const row = 2;

  /** The rows with a value that is not finite. */
  function notFinite(name: MethodName, weight: string): number[] {
    const embeds = combine(name, read(weight));
    return Array.from({ length: 77 }, (_, i) => i).filter((i) =>
      embeds.slice(i * d, (i + 1) * d).some((value) => !Number.isFinite(value)),
    );
  }
  const everything = Array.from({ length: 77 }, (_, i) => i);

  // biome-ignore format: one method, one line
  test.each<[MethodName, number[], number[], number[]]>([
    // not a number, infinite, minus infinite
    ['none', [], [], []],
    ['scale', [row], [row], [row]],
    ['original', everything, everything, everything],
    ['comfy', [row], [row], [row]],
    ['compel-mask', [row], [row], [row]],
    ['compel-remove', [row], [row], [row]],
    ['adv-a1111', everything, everything, everything],
    // NaN is neither below nor above 1.
    ['adv-compel', [], [row], everything],
    ['adv-comfy++', [], [row], everything],
    // Divided by an infinite weight, all others are 0; by NaN, none is below 1.
    ['adv-down-weight', [], [], everything],
  ])('%s', (name, nan, infinite, minusInfinite) => {
    expect(notFinite(name, 'nan')).toEqual(nan);
    expect(notFinite(name, 'inf')).toEqual(infinite);
    expect(notFinite(name, '-inf')).toEqual(minusInfinite);
    expect(notFinite(name, '0')).toEqual([]);
    expect(notFinite(name, '-2')).toEqual([]);
    expect(notFinite(name, '1e30')).toEqual([]);
  });
});
