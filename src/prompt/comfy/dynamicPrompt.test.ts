import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import recorded from '../recorded/comfy_dynamic.json';
import {
  chosenPrompt,
  type DynamicPrompt,
  openPrompt,
  readDynamicPrompt,
  sameChooser,
  seededChooser,
  variantChooser,
} from './dynamicPrompt.ts';

const chosenBy = (choices: readonly number[]) => sameChooser(choices.map((chosen) => ({ chosen })));
const typed = ({ open: { source } }: DynamicPrompt, { start, end }: { start: number; end: number }) =>
  source.slice(start, end);

test.each(recorded)('$prompt, $choices: what ComfyUI’s page makes of it', ({ prompt, choices, text }) => {
  const read = readDynamicPrompt(prompt, chosenBy(choices));
  expect(read.text.text).toBe(text);
  expect(read.choices.map(({ chosen }) => chosen)).toEqual(choices);
});

test('comments, braces, bars and options stand where they were typed', () => {
  const read = readDynamicPrompt('a {red|/*x*/{b|c\\}}} d // e', chosenBy([1, 1]));
  expect(read.text.text).toBe('a c} d ');
  expect(read.comments.map((comment) => typed(read, comment))).toEqual(['/*x*/', '// e']);
  expect(
    read.choices.map(({ marks, options, chosen, ...choice }) => [
      typed(read, choice),
      marks.map((mark) => typed(read, mark)).join(''),
      options.map((option) => typed(read, option)),
      chosen,
    ]),
  ).toEqual([
    ['{red|/*x*/{b|c\\}}}', '{|}', ['red', '/*x*/{b|c\\}}'], 1],
    ['{b|c\\}}', '{|}', ['b', 'c\\}'], 1],
  ]);
  expect(read.text.starts).toEqual([0, 1, 15, 16, 20, 21, 22]);
  expect(read.text.ends).toEqual([1, 2, 16, 18, 21, 22, 23]);
});

test('what is not closed chooses from all that follows', () => {
  const { choices } = readDynamicPrompt('{a|{b /* c */', chosenBy([1]));
  expect(choices.map(({ start, end, marks }) => [start, end, marks.length])).toEqual([
    [0, 13, 2],
    [3, 13, 1],
  ]);
});

const pieces = [
  '{',
  '}',
  '|',
  '\\',
  '/',
  '*',
  '//',
  '/*',
  '*/',
  'a',
  'b ',
  '\n',
  '\u2028',
  '😀',
  '{a|b}',
  '{c|{d|}}',
  '\\{',
];
const prompts = fc.array(fc.constantFrom(...pieces), { maxLength: 24 }).map((parts) => parts.join(''));
const plain = fc.array(fc.constantFrom('a', ' ', '/', '*', '(b:1.2)', '|', '}', '\n', '猫', ':'), { maxLength: 24 });

test('without comments, opening braces and backslashes a text stays as it is', () => {
  fc.assert(
    fc.property(plain, fc.nat(), (parts, seed) => {
      const text = parts.join('').replace(/\/(?=[/*])/g, '/ ');
      const read = readDynamicPrompt(text, seededChooser(seed));
      expect(read.text.text).toBe(text);
      expect(read.isAsTyped).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('each unit was typed within the prompt, none before the one that it follows', () => {
  fc.assert(
    fc.property(prompts, fc.nat(), (prompt, seed) => {
      const { text, comments, choices } = readDynamicPrompt(prompt, seededChooser(seed));
      expect(text.starts.length).toBe(text.text.length);
      expect(text.ends.length).toBe(text.text.length);
      for (const [i, start] of text.starts.entries()) {
        const end = text.ends[i];
        expect(0 <= start && start < end && end <= prompt.length).toBe(true);
        expect(start >= (text.starts[i - 1] ?? 0) && end >= (text.ends[i - 1] ?? 0)).toBe(true);
        // The letters of “undefined” come of the backslash at the end.
        if (prompt[start] !== '\\' || end - start > 1) expect(prompt[end - 1]).toBe(text.text[i]);
      }
      for (const { start, end } of [...comments, ...choices, ...choices.flatMap(({ options }) => options)])
        expect(0 <= start && start <= end && end <= prompt.length).toBe(true);
    }),
    { numRuns: 5000 },
  );
});

test('each number of a variant chooses otherwise, and gives every way to choose', () => {
  fc.assert(
    fc.property(prompts, (prompt) => {
      const open = openPrompt(prompt);
      const count = Math.min(open.variants, 200);
      const ways = Array.from({ length: count }, (_, i) => {
        const { choices } = chosenPrompt(open, variantChooser(i, seededChooser(0))(open));
        return choices.map(({ start, chosen }) => `${start}:${chosen}`).join(' ');
      });
      expect(new Set(ways).size).toBe(count);
    }),
    { numRuns: 2000 },
  );
});

test('variants come in the order of their options, the last group changing first', () => {
  const open = openPrompt('{a|b{1|2}} {c|d}');
  const texts = Array.from({ length: open.variants }, (_, i) => {
    return chosenPrompt(open, variantChooser(i, seededChooser(0))(open)).text.text;
  });
  expect(texts).toEqual(['a c', 'a d', 'b1 c', 'b1 d', 'b2 c', 'b2 d']);
});

test('a number beyond the variants leaves the choice to the other way', () => {
  const read = (variant: number) => readDynamicPrompt('{a|b}', variantChooser(variant, chosenBy([1]))).text.text;
  expect([read(0), read(1), read(2), read(99)]).toEqual(['a', 'b', 'b', 'b']);
});

test('a seed chooses the same again, and each option about as often', () => {
  const prompt = '{a|b|c} {d|e}';
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 6000; seed++) {
    const { text } = readDynamicPrompt(prompt, seededChooser(seed)).text;
    expect(readDynamicPrompt(prompt, seededChooser(seed)).text.text).toBe(text);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  expect([...counts.keys()].sort()).toEqual(['a d', 'a e', 'b d', 'b e', 'c d', 'c e']);
  // Six standard deviations of a count of 1000.
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(175);
});

// Reading whose time grew with the square would take minutes.
test.each(['{', '}', '|', '/*', '*/', '//', '{a|', '{}', '{a|b}', '\\', '\\{', '{\\{|', '{\\\\\\}|', '/**/', '// a\n'])(
  '64,000 characters of %j are read',
  (piece) => {
    const prompt = piece.repeat(64_000 / piece.length);
    const read = readDynamicPrompt(prompt, seededChooser(3));
    expect(read.open.variants).toBeGreaterThanOrEqual(1);
    const last = chosenPrompt(read.open, variantChooser(99, seededChooser(3))(read.open));
    expect(last.text.text.length).toBeLessThanOrEqual(prompt.length + 9);
  },
);
