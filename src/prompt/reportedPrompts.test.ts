/**
 * Prompts out of public bug reports of other programs, by the report's number, with what the original program reads in each;
 * and further prompts of the same kinds.
 */
import { expect, test } from 'vitest';
import { readA1111Prompt, stepA1111Prompt } from './a1111/a1111Prompt.ts';
import { promptLoras } from './a1111/extraNetworks.ts';
import { parseComfy } from './comfy/comfyPrompt.ts';
import { parseCompel } from './compel/compelPrompt.ts';
import { applyEdits } from './edits.ts';

type Weighed = readonly [text: string, weight: number];

const weighed = (fragments: readonly { readonly text: string; readonly weight: number }[]): Weighed[] =>
  fragments.map(({ text, weight }) => [text, weight]);

/** Expects these texts, at these weights up to the rounding of their products. */
function expectWeighed(actual: readonly Weighed[], right: readonly Weighed[]): void {
  expect(actual.map(([text]) => text)).toEqual(right.map(([text]) => text));
  for (const [i, [text, weight]] of right.entries()) expect(actual[i][1], text).toBeCloseTo(weight, 12);
}

/** Each part's guidance weight, and the text and weights at each of its steps. */
function a1111(prompt: string, role: 'positive' | 'negative' = 'positive', steps = 20) {
  const read = readA1111Prompt(prompt, { role });
  return stepA1111Prompt(read, { steps }).parts.map((part, i) => ({
    guidance: read.parts[i].weight,
    steps: part.steps.map(({ endAtStep, parsed }) => [endAtStep, weighed(parsed.fragments)] as const),
  }));
}

test.each<[string, string, Weighed[]]>([
  [
    'B02',
    'foo ((((lol (cat:666) attack)))) baz',
    [
      ['foo ', 1],
      ['lol ', 1.4641],
      ['cat', 666],
      [' attack', 1.4641],
      [' baz', 1],
    ],
  ],
  [
    'a number in a number',
    '(red (green:0.5) blue:2)',
    [
      ['red ', 2],
      ['green', 0.5],
      [' blue', 2],
    ],
  ],
  ['round brackets in a number', '((cat):2)', [['cat', 2.2]]],
  [
    'a number as Python has it',
    '(cat:1e2)(dog: .5 )',
    [
      ['cat', 100],
      ['dog', 0.5],
    ],
  ],
  ['B03', String.raw`snakebite \(piercing\)`, [['snakebite (piercing)', 1]]],
  ['B03', String.raw`snakebite \\\(piercing\\\)`, [[String.raw`snakebite \\(piercing\\)`, 1]]],
  [
    'an escape in brackets',
    String.raw`(a \(b\):1.5) c`,
    [
      ['a (b)', 1.5],
      [' c', 1],
    ],
  ],
  ['two backslashes', String.raw`a \\(b`, [[String.raw`a \(b`, 1]]],
])('ComfyUI, %s: %s', (_, prompt, right) => {
  expectWeighed(weighed(parseComfy(prompt).fragments), right);
});

test.each<[string, string, [number, Weighed[]][]]>([
  ['B04', '[(a red apple):(a green apple:1.8):1.0]', [[20, [['a red apple', 1.1]]]]],
  [
    'B04',
    '[(a red apple):(a green apple:1.8):1]',
    [
      [1, [['a red apple', 1.1]]],
      [20, [['a green apple', 1.8]]],
    ],
  ],
  [
    'half of the steps',
    '[(a red apple):(a green apple:1.8):.5]',
    [
      [10, [['a red apple', 1.1]]],
      [20, [['a green apple', 1.8]]],
    ],
  ],
  ['before the first step', '[red:green:0]', [[20, [['green', 1]]]]],
  [
    'with the weight around it',
    '([red:green:5]:1.5)',
    [
      [5, [['red', 1.5]]],
      [20, [['green', 1.5]]],
    ],
  ],
  [
    'B11',
    String.raw`[:[Shot 2] At 00\:00.200, a fox in \<Picture 1\> appears.:0.1]`,
    [
      [2, [['', 1]]],
      [
        20,
        [
          ['Shot 2', 1 / 1.1],
          [String.raw` At 00:00.200, a fox in \<Picture 1\> appears.`.replaceAll('\\', ''), 1],
        ],
      ],
    ],
  ],
  [
    'an escaped colon before the number',
    String.raw`[a\:b:c:4]`,
    [
      [4, [['a:b', 1]]],
      [20, [['c', 1]]],
    ],
  ],
  ['an escaped bracket is no schedule', String.raw`\[a:b:4\]`, [[20, [['[a:b:4]', 1]]]]],
])('A1111, %s: %s over 20 steps', (_, prompt, right) => {
  const [{ steps }, ...more] = a1111(prompt);
  expect(more).toEqual([]);
  expect(steps.map(([endAtStep]) => endAtStep)).toEqual(right.map(([endAtStep]) => endAtStep));
  for (const [i, [, fragments]] of right.entries()) expectWeighed(steps[i][1], fragments);
});

test.each<[string, string, 'positive' | 'negative', number, Weighed[]]>([
  ['B10', 'mountain, forest, sky, cloud, :99', 'positive', 99, [['mountain, forest, sky, cloud,', 1]]],
  ['B10', 'mountain, forest, sky, cloud, :99', 'negative', 1, [['mountain, forest, sky, cloud, :99', 1]]],
  ['B10', String.raw`sky :\3`, 'positive', 1, [['sky :3', 1]]],
  ['a clock', 'a street at 12:30', 'positive', 30, [['a street at 12', 1]]],
  ['a number without digits after its point', 'a cat :2.', 'positive', 2, [['a cat', 1]]],
  ['words after the number', 'at 12:30 sharp', 'positive', 1, [['at 12:30 sharp', 1]]],
  ['B14', 'text:1.4', 'negative', 1, [['text:1.4', 1]]],
  ['B14', 'text:1.4', 'positive', 1.4, [['text', 1]]],
  ['a negative number', 'text:-1', 'positive', -1, [['text', 1]]],
  [
    'B31',
    '(worst quality, low quality:1.5), nsfw,',
    'negative',
    1,
    [
      ['worst quality, low quality', 1.5],
      [', nsfw,', 1],
    ],
  ],
  [
    'brackets within a number',
    '((worst quality), low quality:1.5), nsfw,',
    'negative',
    1,
    [
      ['worst quality', 1.5 * 1.1],
      [', low quality', 1.5],
      [', nsfw,', 1],
    ],
  ],
  ['B32', '(fire:1.1)', 'positive', 1, [['fire', 1.1]]],
  ['B32', '(fire:-1.1)', 'positive', 1, [['fire', -1.1]]],
  ['B32', '(cat:0)', 'positive', 1, [['cat', 0]]],
  ['a weight twice', '((fire:-1.1):2)', 'positive', 1, [['fire', -2.2]]],
])('A1111, %s: %s as %s prompt', (_, prompt, role, guidance, right) => {
  const [part, ...more] = a1111(prompt, role);
  expect(more).toEqual([]);
  expect(part.guidance).toBe(guidance);
  expect(part.steps).toHaveLength(1);
  expectWeighed(part.steps[0][1], right);
});

test.each<[string, string, string]>([
  // A share of more than all steps never comes; a negative one was there from the first.
  ['B32', '[fire:1.1]', ''],
  ['B32', '[fire:-1.1]', 'fire'],
  ['a share beyond the last step', '[fire:ice:2.5]', 'fire'],
  ['a negative step', '[fire:ice:-3]', 'ice'],
])('A1111, %s: %s is “%s” at every step', (_, prompt, right) => {
  expect(a1111(prompt)).toEqual([{ guidance: 1, steps: [[20, [[right, 1]]]] }]);
});

test.each<[string, string, string, [string, number][]]>([
  ['B06', '1girl, <lora:[XL]Gothic:1> cathedral', '1girl,  cathedral', [['[XL]Gothic', 1]]],
  ['B06', 'x <lora:some lora(With description):0.5> y', 'x  y', [['some lora(With description)', 0.5]]],
  [
    'B13',
    'a cat <lora:kohya:0.5> <lora:kohya:0.3>',
    'a cat',
    [
      ['kohya', 0.3],
      ['kohya', 0.3],
    ],
  ],
  [
    'three times',
    '<lora:a:1><lora:a:2><lora:a:0.25>',
    '',
    [
      ['a', 0.25],
      ['a', 0.25],
      ['a', 0.25],
    ],
  ],
  [
    'another between',
    '<lora:a:1><lora:b:2><lora:a:3>',
    '',
    [
      ['a', 3],
      ['b', 2],
      ['a', 3],
    ],
  ],
  [
    'another kind of the same',
    '<lora:a:1><lyco:a:0.5>',
    '',
    [
      ['a', 0.5],
      ['a', 0.5],
    ],
  ],
  [
    'another case is another name',
    '<lora:a:1><lora:A:0.5>',
    '',
    [
      ['a', 1],
      ['A', 0.5],
    ],
  ],
  ['B15', 'x <lora:h4g3_v1.0:0.375:ALL> man', 'x  man', []],
  ['one that cannot be read beside others', '<lora:a:1><lora:b:x>', '', []],
  ['a rank that cannot be read', '<lora:a:1:1:x>', '', []],
  ['a number by name that cannot be read', '<lora:a:te=x>', '', []],
])('A1111, %s: networks of %s', (_, prompt, text, right) => {
  const { networks, parts } = readA1111Prompt(prompt, { role: 'positive' });
  expect(parts.map((part) => part.text.text)).toEqual([text]);
  expect(promptLoras(networks).map(({ name, multiplier }) => [name, multiplier])).toEqual(right);
});

test('A1111, B15: a number of a LoRA that cannot be read is told', () => {
  const prompt = 'x <lora:h4g3_v1.0:0.375:ALL> man';
  const [{ code, severity, start, end }, ...more] = readA1111Prompt(prompt, { role: 'positive' }).diagnostics;
  expect(more).toEqual([]);
  expect([code, severity, prompt.slice(start, end)]).toEqual([
    'unreadable-network',
    'error',
    '<lora:h4g3_v1.0:0.375:ALL>',
  ]);
});

test.each<[string, string, Weighed[]]>([
  [
    'B07',
    'village+, close view, middle age,fantasy++ style, detailed',
    [
      ['village', 1.1],
      [', close view, middle age,', 1],
      ['fantasy', 1.21],
      ['style, detailed', 1],
    ],
  ],
  [
    'a comma in front and behind',
    'a,b--,c',
    [
      ['a,', 1],
      ['b', 0.81],
      [', c', 1],
    ],
  ],
  ...[1, 2, 3, 4, 5, 6, 7].flatMap((n): [string, string, Weighed[]][] => [
    ['B08', '('.repeat(n), [['('.repeat(n), 1]]],
    ['B08', `${'('.repeat(n)}cat`, [[`${'('.repeat(n)}cat`, 1]]],
  ]),
  ['a quotation mark that is never closed', '"cat', [['"cat', 1]]],
])('Compel, %s: %s', (_, prompt, right) => {
  expectWeighed(weighed(parseCompel(prompt).fragments), right);
});

test.each([10, 100, 1000, 5000])('Compel, B08: %i open brackets are text', (n) => {
  for (const word of ['', 'cat']) {
    const prompt = `${'('.repeat(n)}${word}`;
    expect(weighed(parseCompel(prompt).fragments)).toEqual([[prompt, 1]]);
  }
});

test.each([
  ['B09', '("polar bear","a spy").blend(1,1) painting'],
  ['a weighted word after it', '("a","b").blend(1,1) c++'],
  ['another blend after it', '("a","b").blend(1,1) ("c","d").blend(1,1)'],
  ['a word at it', '("a","b").blend(1,1)c'],
])('Compel, %s: text after a blend is an error that is told', (_, prompt) => {
  const errors = parseCompel(prompt).diagnostics.filter(({ severity }) => severity === 'error');
  expect(errors.map(({ code }) => code)).toContain('text-after-blend');
});

test.each([
  ['B33', '("a cat","a dog").blend(0,0)', '.blend(0,0)', null],
  ['B33', '("a cat","a dog").blend(1,-1)', '.blend(1,-1)', '("a cat","a dog").blend(1,-1, no_normalize)'],
  [
    'three weights',
    '("a", "b", "c").blend(1, 2, -3)',
    '.blend(1, 2, -3)',
    '("a", "b", "c").blend(1, 2, -3, no_normalize)',
  ],
  [
    'a sum of rounding',
    '("a", "b", "c").blend(0.1,0.2,-0.3)',
    '.blend(0.1,0.2,-0.3)',
    '("a", "b", "c").blend(0.1,0.2,-0.3, no_normalize)',
  ],
  ['one part', 'withLora(x) ("a").blend(0)', '.blend(0)', null],
])('Compel, %s: %s divides by a sum of 0, which is told at the blend', (_, prompt, place, mended) => {
  const told = parseCompel(prompt).diagnostics.filter(({ code }) => code === 'blend-sum-zero');
  expect(told.map(({ severity, start, end }) => [severity, prompt.slice(start, end)])).toEqual([['error', place]]);
  expect(told[0].fix ? applyEdits(prompt, told[0].fix.edits) : null).toBe(mended);
});

test.each([
  ['("a", "b").blend(1,-1,no_normalize)'],
  ['("a", "b").blend(1,-0.9)'],
  ['("a", "b").blend(0, 1)'],
  ['("a", "b").blend()'],
  ['("a", "b").and(0,0)'],
  ['("a", "b").and(1,-1)'],
])('Compel: %s comes to finite numbers, and no error is told', (prompt) => {
  expect(parseCompel(prompt).diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
});

test.each([
  ['("a", "b").blend(inf,1)', 'inf'],
  ['("a", "b").blend(1,nan,no_normalize)', 'nan'],
  ['("a", "b").and(1, infinity)', 'infinity'],
])('Compel: %s comes to no number, which is told at the weight', (prompt, place) => {
  const errors = parseCompel(prompt).diagnostics.filter(({ severity }) => severity === 'error');
  expect(errors.map(({ code, start, end }) => [code, prompt.slice(start, end)])).toEqual([
    ['not-finite-weight', place],
  ]);
});

test.each([
  ['B60', '("a.swap(b)", "c").blend(1,1)', 'swap-in-blend', 'a.swap(b)'],
  ['in brackets in the quotes', '("x (a.swap(b)) y", "c").blend()', 'swap-in-blend', 'a.swap(b)'],
  ['weighed', '("c", "(a.swap(b))+").blend(1,2)', 'swap-in-blend', 'a.swap(b)'],
  ['within quotes', String.raw`("\"a\".swap(b)", "c").blend()`, 'swap-in-blend', String.raw`\"a\".swap(b)`],
  ['a swap in a swap, in a part of .and()', '("a.swap(b.swap(c))", "d").and()', 'nested-swap', 'b.swap(c)'],
  ['an option in a part of .and()', '("a.swap(b, shape_freedom=x)", "d").and()', 'swap-option', 'shape_freedom=x'],
  ['an empty part', '("a", "()").blend()', 'empty-blend-part', '"()"'],
  ['a LoRA alone', '("withLora(x)", "b").blend()', 'empty-blend-part', '"withLora(x)"'],
  ['a weight on nothing', '("a", (""-)).and()', 'empty-weighted', '""'],
  ['a control character', '("a\vb", "c").blend()', 'control-character', '\v'],
])('Compel, %s: %s raises within a part, which is told there', (_, prompt, code, place) => {
  const errors = parseCompel(prompt).diagnostics.filter(({ severity }) => severity === 'error');
  expect(errors.map((told) => [told.code, prompt.slice(told.start, told.end)])).toContainEqual([code, place]);
});

test.each([
  ['a cat.swap(dog) b'],
  ['("a.swap(b)", "c").and()'],
  ['("x (a.swap(b))+ y", "c").and(1, 0.5)'],
  ['("c", a, (a.swap(b))).and()'],
])('Compel: %s stops versions 2.3 and 2.4, which is told at the swap', (prompt) => {
  const told = parseCompel(prompt).diagnostics.filter(({ code }) => code === 'swap-original-only');
  expect(told.map(({ start, end }) => prompt.slice(start, end))).toEqual(['.swap']);
  expect(told[0].message).toContain('Compel 2.3 and 2.4 stop at .swap() with an error');
});
