import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import { parameterNumber, parseInfotext } from './infotext.ts';

const last = 'Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768, Model hash: 6ce0161689, Clip skip: 2';

test('prompt, negative prompt and parameters', () => {
  const info = parseInfotext(`a (red:1.3) car\nNegative prompt: blurry, (fog:1.2)\n${last}`);
  expect(info).toMatchObject({ prompt: 'a (red:1.3) car', negativePrompt: 'blurry, (fog:1.2)' });
  expect([...(info?.parameters ?? [])]).toEqual([
    ['Steps', '20'],
    ['Sampler', 'Euler a'],
    ['CFG scale', '7'],
    ['Seed', '1'],
    ['Size', '512x768'],
    ['Model hash', '6ce0161689'],
    ['Clip skip', '2'],
  ]);
});

test.each([
  ['prompts of several lines', 'a\n\nb\nNegative prompt: c\nd\n', 'a\n\nb', 'c\nd'],
  ['Windows line ends', 'a\r\nb\r\nNegative prompt: c\r\n', 'a\nb', 'c'],
  ['no prompt', 'Negative prompt: c\n', '', 'c'],
  ['no negative prompt', 'a, b: c\n', 'a, b: c', ''],
  ['an empty negative prompt', 'a\nNegative prompt:\n', 'a', ''],
  ['spaces about lines', '  a  \n  Negative prompt:   c \n', 'a', 'c'],
  ['a negative prompt said twice', 'a\nNegative prompt: b\nNegative prompt: c\n', 'a', 'b\nc'],
])('%s', (_, text, prompt, negativePrompt) => {
  expect(parseInfotext(text + last)).toMatchObject({ prompt, negativePrompt });
});

test('quoted values hold commas, colons and escapes', () => {
  const hashes = 'Lora hashes: "a: 1f, b: \\"x\\", c\\\\d", Template: "p\\nq", Broken: "a\\q", Version: v1.10.0';
  const parameters = parseInfotext(`a\n${last}, ${hashes}`)?.parameters;
  expect(parameters?.get('Lora hashes')).toBe('a: 1f, b: "x", c\\d');
  expect(parameters?.get('Template')).toBe('p\nq');
  expect(parameters?.get('Broken')).toBe('"a\\q"');
  expect(parameters?.get('Version')).toBe('v1.10.0');
});

test('a last line of fewer than three parameters is part of the prompts', () => {
  expect(parseInfotext('a\nNegative prompt: b\nSteps: 20, Clip skip: 2')).toMatchObject({
    negativePrompt: 'b\nSteps: 20, Clip skip: 2',
    parameters: new Map(),
  });
});

test.each(['', 'a red car', 'a\nb', 'style: oil, mood: dark, light: dim', 'Steps: 20', 'Steps: many, A b: c, D e: f'])(
  '%s is a mere prompt',
  (text) => expect(parseInfotext(text)).toBeNull(),
);

test.each([
  ['20', 20],
  ['0', null],
  ['-1', null],
  ['2.5', null],
  ['1e9', null],
  ['20x', null],
])('%s steps', (value, steps) => expect(parameterNumber(new Map([['Steps', value]]), 'Steps')).toBe(steps));

test('reads anything', () => {
  const piece = fc.constantFrom(
    '\n',
    '\r',
    'Negative prompt:',
    'Steps: 20,',
    '"',
    '\\',
    ',',
    ':',
    'a b',
    ' ',
    '\ud800',
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => void parseInfotext(pieces.join(''))),
    { numRuns: 5000 },
  );
});

test('a long line takes no longer than it should', () => {
  for (const piece of ['a ', '  ', '- ', 'a', ':', '"', '\\', 'aa:"', 'aa:']) {
    const line = piece.repeat(50_000 / piece.length);
    expect(() => parseInfotext(`Negative prompt:\n${line}|`.slice(0, 50_000)), piece).not.toThrow();
  }
});

test('B55: a field without a value counts among three and is dropped; quoted values hold colons and brackets', () => {
  const controlNet =
    'preprocessor: canny, model: None, weight: 1, starting/ending: (0, 1), resize mode: Crop and Resize, pixel perfect: False';
  const text = `a castle,\non a hill\nNegative prompt: fog,\nrain\nSteps: 20, Operations: , ControlNet 0: "${controlNet}", Hires upscale: 1.3`;
  const info = parseInfotext(text);
  expect(info).toMatchObject({ prompt: 'a castle,\non a hill', negativePrompt: 'fog,\nrain' });
  expect([...(info?.parameters ?? [])]).toEqual([
    ['Steps', '20'],
    ['ControlNet 0', controlNet],
    ['Hires upscale', '1.3'],
  ]);
  expect(parseInfotext('a\nSteps: 20, Operations: , Version: 1')?.prompt).toBe('a');
});

test('B58: a raw line feed in a field pushes all before it into the negative prompt; written as \\n it does not', () => {
  const before =
    'a red fox\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Wildcard prompt: "a __color__';
  expect(parseInfotext(`${before} fox\nin snow", Seed: 1, Size: 512x512, Version: v1.5.1`)).toMatchObject({
    prompt: 'a red fox',
    negativePrompt: `blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Wildcard prompt: "a __color__ fox`,
  });
  const info = parseInfotext(`${before} fox\\nin snow", Seed: 1, Size: 512x512, Version: v1.10.1`);
  expect(info).toMatchObject({ prompt: 'a red fox', negativePrompt: 'blurry' });
  expect(info?.parameters.get('Wildcard prompt')).toBe('a __color__ fox\nin snow');
});
