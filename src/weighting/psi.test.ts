import { describe, expect, test } from 'vitest';
import { encoderPass } from '../clip/masks.ts';
import { defaultOptions } from '../road/options.ts';
import { preparePrompt, promptEmbeds, promptPasses } from '../road/pipeline.ts';
import { tokenizer } from '../state/testing/fakeEncoder.ts';
import { methodPasses, methodSummands } from './apply.ts';
import { outputOf } from './derivedPass.ts';
import { rowSumsOf } from './means.ts';
import type { ZOf } from './method.ts';
import { longestPsi, psi } from './psi.ts';
import { missingRows, nonFiniteMaps, readPsi, rowsWithin, withoutMap, writtenRows } from './psiMaps.ts';
import { ExpressionError, rowExpression, type VectorName } from './rowExpression.ts';

const vectors: Record<VectorName, readonly number[]> = {
  z: [3, 4],
  empty: [1, 0],
  mean: [0, 2],
  r: [0, 5],
  alone: [2, 2],
};
const rowOf = (text: string) => [...rowExpression(text).row({ vector: (name) => vectors[name], w: 1.5 })];

describe('expressions of rows', () => {
  test.each([
    ['z * 1.5', [4.5, 6]],
    ['empty + 2*(z − empty)', [5, 8]],
    ['z - proj(z, r)', [3, 0]],
    ['w · z / 3', [1.5, 2]],
    ['-z + mean', [-3, -2]],
    ['alone', [2, 2]],
    ['z * norm(z) - dot(z, r) * empty', [-5, 20]],
    ['z * (1 + 2 * -.5)', [0, 0]],
    ['proj(z, z - z)', [0, 0]],
  ])('%s', (text, row) => expect(rowOf(text)).toEqual(row));

  test.each([
    ['1.2', 'The result has to be a row', 0],
    ['z * z', 'Two rows cannot be multiplied', 2],
    ['z + 1', 'A row and a number cannot be added', 2],
    ['2 / z', 'Nothing can be divided by a row', 2],
    ['z * x', '“x” is not known', 4],
    ['z.constructor', '“.” has no meaning', 1],
    ['constructor(z)', '“constructor” is not known', 0],
    ['proj(z)', 'proj takes 2 rows', 0],
    ['(z', 'Here “)” is missing', 2],
    ['z z', '“z” is not expected here', 2],
    ['z *', 'The expression ends too early', 3],
    ['z;', '“;” has no meaning', 1],
    [`${'('.repeat(401)}z`, 'at most 400 characters', 0],
  ])('%s is refused at its place', (text, message, start) => {
    let found: unknown;
    try {
      rowExpression(text);
    } catch (error) {
      found = error;
    }
    expect(found).toBeInstanceOf(ExpressionError);
    expect((found as ExpressionError).message).toContain(message);
    expect((found as ExpressionError).range.start).toBe(start);
  });
});

test('maps are read with their rows; overlaps and mistakes are refused in place, and the rest is kept', () => {
  const text = '2-4, 7: z * 1.3; 4: empty; 9: z +; r = a red cat; 10: z - proj(z, r); nothing; 5-3: z';
  const { maps, reference, problems } = readPsi(text);
  expect(maps.map(({ intervals }) => rowsWithin(intervals, 0, 77))).toEqual([[2, 3, 4, 7], [10]]);
  expect(reference).toBe('a red cat');
  expect(problems.map(({ start, end, message }) => [text.slice(start, end).trim(), message])).toEqual([
    ['4', 'Row 4 is in “2-4, 7” already: subsets must not overlap.'],
    ['9: z +', 'The expression ends too early.'],
    ['nothing', 'A map is written as rows, a colon and an expression: 2-4: z * 1.3'],
    ['5-3', '“5-3” is no row and no range of rows, such as 2 or 2-4.'],
  ]);
  expect(readPsi('1: r').problems).toHaveLength(1);
  expect(readPsi('')).toEqual({ maps: [], reference: null, problems: [] });
});

test('rows of a map may be typed in any order, more than once and far from all others', () => {
  const rowsOf = (text: string) => readPsi(`${text}: z`).maps.map(({ intervals }) => writtenRows(intervals));
  expect(rowsOf('7, 2-4, 3-5, 6')).toEqual(['2-7']);
  expect(rowsOf('9, 0–1')).toEqual(['0-1, 9']);
  expect(rowsOf('3-999999')).toEqual(['3-999999']);
  expect(readPsi('3-1000000: z').problems[0].message).toMatch(/^“3-1000000” is no row/);
  expect(readPsi('5-9: z; 1: z; 3-5: z; 2: z; 0-2: z').problems.map(({ message }) => message)).toEqual([
    'Row 5 is in “5-9” already: subsets must not overlap.',
    'Row 1 is in “1” already: subsets must not overlap.',
  ]);
});

test('a second prompt for r is refused, and so is one without a text; the first is the one that counts', () => {
  const text = 'r = a cat; 2: z - r; r = a dog\nr =';
  const { maps, reference, problems } = readPsi(text);
  expect([maps.length, reference]).toEqual([1, 'a cat']);
  expect(problems.map(({ start, end, message }) => [text.slice(start, end).trim(), message])).toEqual([
    ['r = a dog', 'r is a row of “a cat” already: there is one other prompt.'],
    ['r =', 'The text of the other prompt is missing: r = a red cat'],
  ]);
});

test('rows that no prompt has are told, and so are results that are not finite', () => {
  const maps = readPsi('80: empty; 2-3: z; 70-79, 81-90, 100: z / 0');
  expect(missingRows(maps, 77).map(({ message }) => message)).toEqual([
    'There is no row 80 here: the last row of the prompts is 76.',
    'There are no rows 77-79, 81-90, 100 here: the last row of the prompts is 76.',
  ]);
  expect(missingRows(maps, 154)).toEqual([]);
  const [wild, ...others] = nonFiniteMaps(maps, [5, 71, 72]);
  expect(wild.message).toBe('The result is not finite in row 71: something is divided by 0, or grows too large.');
  expect(others).toEqual([]);
});

test('a map is taken out of its text, and the others stay', () => {
  const text = '1: z; 2-3: alone; r = a cat\n4: mean';
  const removed = readPsi(text).maps.map((map) => withoutMap(text, map));
  expect(removed).toEqual([
    '2-3: alone; r = a cat\n4: mean',
    '1: z; r = a cat\n4: mean',
    '1: z; 2-3: alone; r = a cat',
  ]);
  expect(withoutMap('2: z; 3: alone', readPsi('2: z; 3: alone').maps[1])).toBe('2: z');
});

/** Calls by which maps are read: each looks at one part of the text, or keeps one thing of it. */
const countedCalls = [
  [Array.prototype, 'push'],
  [Array.prototype, 'splice'],
  [Set.prototype, 'add'],
  [Map.prototype, 'set'],
  [Map.prototype, 'has'],
  [RegExp.prototype, 'exec'],
  [Math, 'max'],
] as const satisfies readonly (readonly [object, string])[];

/** Counts the calls of a reading, which ends where there are more than `most`. */
function callsOf(most: number, read: () => void): number {
  let calls = 0;
  const ends = countedCalls.map(([owner, name]) => {
    const methods = owner as unknown as Record<string, (...args: unknown[]) => unknown>;
    const own = methods[name];
    methods[name] = function (this: unknown, ...args: unknown[]) {
      if (++calls > most) throw new Error(`It took more than ${most} calls.`);
      return Reflect.apply(own, this, args);
    };
    return () => {
      methods[name] = own;
    };
  });
  try {
    read();
  } finally {
    for (const end of ends) end();
  }
  return calls;
}

test.each<[string, (length: number) => string]>([
  ['one list of wide ranges', (length) => `${'0-99999,'.repeat(length / 8 - 1)}0:z`],
  ['maps of all rows', (length) => '0-999999: z;'.repeat(length / 12)],
  ['maps far apart', (length) => Array.from({ length: length / 7 }, (_, i) => `${9 * i}:z;`).join('')],
  ['nothing that can be read', (length) => 'a;'.repeat(length / 2)],
  ['prompts for r', (length) => 'r = a;'.repeat(length / 6)],
])('%s takes work in proportion to its length', (_, textOf) => {
  for (const length of [500, 1_000, longestPsi]) {
    const text = textOf(length);
    expect(text.length).toBeLessThanOrEqual(length);
    expect(text.length).toBeGreaterThan(0.8 * length);
    callsOf(4 * length, () => readPsi(text));
    const { maps, problems } = readPsi(text);
    expect(maps.length + problems.length).toBeGreaterThan(0);
    const kept = maps.reduce((sum, { intervals }) => sum + intervals.length, problems.length);
    expect(kept).toBeLessThanOrEqual(length);
    expect(Math.max(0, ...problems.map(({ message }) => message.length))).toBeLessThan(120);
  }
});

test('the same text is read once, until another is', () => {
  const maps = readPsi('2: z * 2');
  expect(readPsi('2: z * 2')).toBe(maps);
  expect(readPsi('2: z * 3')).not.toBe(maps);
  expect(readPsi('2: z * 2')).toEqual({ ...maps, maps: [expect.objectContaining({ text: 'z * 2' })] });
});

/** Outputs that tell passes and rows apart, [77, 3]. */
const zOf: ZOf = ({ inputIds, keyMask }) =>
  Float32Array.from({ length: 77 * 3 }, (_, i) => Math.sin(inputIds.reduce((sum, id) => sum + id, i) + keyMask[3]));
const read = (rowMaps: string, prompt = 'a (red:1.3) car') =>
  preparePrompt(prompt, { ...defaultOptions, rowMaps, weighting: 'psi' as never }, tokenizer);

describe('a prompt weighed by maps of rows', () => {
  const bare = read('');
  const z = zOf(bare.chunks[0].pass);
  const empty = zOf(encoderPass(bare.texts[0].weighted.empty.inputIds, 'causal'));

  test('mapped rows are what float64 makes of them, and all others are the encoder’s, to the bit', () => {
    const found = read('2: empty + w*(z - empty); 3: z - proj(z, empty); 4: mean');
    const [embeds] = promptEmbeds(found, zOf, psi.name);
    const row = (of: ArrayLike<number>, at: number) => [0, 1, 2].map((c) => of[at * 3 + c]);
    const expected = row(z, 2).map((value, c) => row(empty, 2)[c] + 1.3 * (value - row(empty, 2)[c]));
    expect(row(embeds, 2).map((v, c) => Math.abs(v - expected[c]) < 1e-6)).toEqual([true, true, true]);
    const along =
      row(z, 3).reduce((sum, v, c) => sum + v * row(empty, 3)[c], 0) / row(empty, 3).reduce((sum, v) => sum + v * v, 0);
    row(embeds, 3).forEach((v, c) => {
      expect(v).toBeCloseTo(row(z, 3)[c] - along * row(empty, 3)[c], 6);
    });
    row(embeds, 4).forEach((v, c) => {
      const sum = Array.from({ length: 77 }, (_, i) => z[i * 3 + c]).reduce((a, b) => a + b, 0);
      expect(v).toBeCloseTo(sum / 77, 6);
    });
    for (let at = 0; at < 77; at++) if (at < 2 || at > 4) expect(row(embeds, at)).toEqual(row(z, at));
  });

  test('without maps, and by any map that is z, the prompt is as the encoder gives it', () => {
    for (const text of ['', '0-76: z', '80: empty', '2: z +'])
      expect(promptEmbeds(read(text), zOf, psi.name)[0], text).toEqual(z);
  });

  test('another prompt and a word alone are encoded for it, and no derived pass is', () => {
    const found = read('2: alone; 3: r; r = a red cat');
    const passes = promptPasses(found, psi.name);
    expect(passes).toHaveLength(3);
    expect(passes.every(({ derived }) => derived === undefined)).toBe(true);
    const other = read('', 'a red cat').chunks[0].pass;
    const [embeds] = promptEmbeds(found, zOf, psi.name);
    expect(embeds.slice(9, 12)).toEqual(zOf(other).slice(9, 12));
    const hidden = {
      ...found.chunks[0].pass,
      keyMask: found.chunks[0].pass.keyMask.map((_, row) => (row === 0 || row === 2 ? 1 : 0)),
    };
    expect(embeds.slice(6, 9)).toEqual(zOf(hidden).slice(6, 9));
    // Maps read nothing for methods that do not apply them.
    expect(promptPasses(found, 'none')).toHaveLength(1);
  });

  test('its sum over passes is its conditioning', () => {
    const { weighted } = read('2: z * 2; 3: alone').texts[0];
    const [sum, ...rest] = methodSummands(psi, weighted, rowSumsOf(zOf));
    expect(rest).toEqual([]);
    expect([...sum.factors].every((factor) => factor === 1)).toBe(true);
    expect(outputOf(sum.passes[0], zOf)).toEqual(promptEmbeds(read('2: z * 2; 3: alone'), zOf, psi.name)[0]);
    expect(methodPasses(psi, weighted)).toHaveLength(2);
  });
});
