import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import type { Node } from '../ast.ts';
import { applyFix } from '../testing/applyFix.ts';
import {
  type ReadingOptions,
  readA1111Prompt,
  type StepOptions,
  type SteppedPrompt,
  stepA1111Prompt,
} from './a1111Prompt.ts';

const positive: ReadingOptions = { role: 'positive' };
const negative: ReadingOptions = { role: 'negative' };

function stepped(
  prompt: string,
  options: ReadingOptions = positive,
  steps: StepOptions = { steps: 20 },
): SteppedPrompt {
  return stepA1111Prompt(readA1111Prompt(prompt, options), steps);
}

/** `text weight` of the fragments of each step of each part. */
function fragments(prompt: string, options?: ReadingOptions, steps?: StepOptions): [number, string[]][][] {
  return stepped(prompt, options, steps).parts.map((part) =>
    part.steps.map(({ endAtStep, parsed }) => [
      endAtStep,
      parsed.fragments.map(({ text, weight }) => `${text} ${weight}`),
    ]),
  );
}

test('comments go first, then networks, then AND, then the schedule, then the weights', () => {
  const prompt = 'a [b<lora:x:0.5> # [c|d] AND e\n:(f:1.5):5] AND g:2';
  expect(fragments(prompt)).toEqual([
    [
      [5, ['a b \n 1']],
      [20, ['a  1', 'f 1.5']],
    ],
    [[20, [' g 1']]],
  ]);
  const { comments, networks, parts, nodes } = readA1111Prompt(prompt, positive);
  expect(comments).toEqual([{ type: 'comment', start: 17, end: 30 }]);
  expect(networks).toMatchObject([{ kind: 'lora', name: 'x', start: 4, end: 16 }]);
  expect(parts.map(({ weight, encoding }) => [weight, encoding])).toEqual([
    [1, 0],
    [2, 1],
  ]);
  expect(nodes).toMatchObject([
    {
      type: 'composite',
      operator: 'AND',
      parts: [
        {
          weight: 1,
          range: { start: 0, end: 43 },
          children: [{ type: 'text' }, { type: 'scheduled', start: 2, end: 42 }],
        },
        { weight: 2, range: { start: 46, end: 50 }, children: [{ type: 'text', text: ' g' }] },
      ],
    },
  ]);
});

test('a # takes a network, an AND and a bracket with it, and a network takes an AND', () => {
  expect(fragments('(a # <lora:x> AND b)')).toEqual([[[20, ['a 1.1']]]]);
  expect(fragments('<lora:x AND y:1>')).toEqual([[[20, [' 1']]]]);
  expect(fragments('a <#b:c> d')).toEqual([[[20, ['a < 1']]]]);
});

test('AND parts schedules and brackets', () => {
  expect(fragments('(a AND b)')).toEqual([[[20, ['a 1.1']]], [[20, [' b) 1']]]]);
  expect(fragments('[a AND b:5]')).toEqual([[[20, [`a ${1 / 1.1}`]]], [[20, [' b:5] 1']]]]);
});

test('a negative prompt is not parted and has no weight', () => {
  expect(fragments('a AND b:2 ', negative)).toEqual([[[20, ['a AND b:2  1']]]]);
  expect(fragments('[a:b:5] :2', negative)).toEqual([
    [
      [5, ['a :2 1']],
      [20, ['b :2 1']],
    ],
  ]);
  expect(readA1111Prompt('a:2', negative).diagnostics).toEqual([]);
});

test('the number at the end of a lone part is its weight', () => {
  const { parts, diagnostics } = readA1111Prompt('aspect 16:9', positive);
  expect(parts).toMatchObject([{ text: { text: 'aspect 16' }, weight: 9, number: { start: 10, end: 11 } }]);
  expect(diagnostics.map(({ code }) => code)).toEqual(['guidance-weight']);
  expect(applyFix('aspect 16:9', diagnostics[0])).toBe('aspect 16:9,');
});

test('comments and brackets can be left alone', () => {
  expect(fragments('(a) BREAK [b|c]', positive, { steps: 2, emphasis: false })).toEqual([
    [
      [1, ['(a) BREAK b 1']],
      [2, ['(a) BREAK c 1']],
    ],
  ]);
  expect(stepped('BREAK', positive, { steps: 1, emphasis: false }).parts[0].steps[0].parsed).toEqual({
    source: 'BREAK',
    nodes: [{ type: 'text', text: 'BREAK', starts: [0, 1, 2, 3, 4], ends: [1, 2, 3, 4, 5], start: 0, end: 5 }],
    fragments: [
      { kind: 'text', weight: 1, text: 'BREAK', starts: [0, 1, 2, 3, 4], ends: [1, 2, 3, 4, 5], start: 0, end: 5 },
    ],
    diagnostics: [],
  });
  expect(stepped('', positive, { steps: 1, emphasis: false }).parts[0].steps[0].parsed.nodes).toEqual([]);
});

test('hires passes and old scheduling reach the schedule', () => {
  const ends = (options: StepOptions) =>
    stepped('[a:b:1.5]', positive, options).parts[0].steps.map(({ endAtStep }) => endAtStep);
  expect(ends({ steps: 20 })).toEqual([20]);
});

test('fragments and nodes of a step have the ranges of the prompt', () => {
  const prompt = 'x\n#y\n(a [b:\\(c:5]<l:z>:1.5)';
  const [, { parsed }] = stepped(prompt).parts[0].steps;
  const [first, second] = parsed.fragments;
  expect([first.start, first.end]).toEqual([0, 5]);
  expect(second).toEqual({
    kind: 'text',
    weight: 1.5,
    text: 'a (c',
    starts: [6, 7, 11, 13],
    ends: [7, 8, 13, 14],
    start: 6,
    end: 14,
  });
  expect(parsed.nodes).toMatchObject([
    { type: 'text', start: 0, end: 5 },
    {
      type: 'weighted',
      start: 5,
      end: 27,
      open: { start: 5, end: 6 },
      close: { start: 22, end: 27 },
      number: { start: 23, end: 26 },
    },
  ]);
});

test('steps of the same text share what was read', () => {
  const { steps } = stepped('[a|b]', positive, { steps: 4 }).parts[0];
  expect(steps[2].parsed).toBe(steps[0].parsed);
  expect(steps[1].parsed).not.toBe(steps[0].parsed);
});

// biome-ignore format: one prompt, one line
test.each<[string, string[], string]>([
  // Square brackets with a number are a schedule and nothing else is said of them.
  ['[x:0.8]', ['schedule-not-weight'], '(x:0.8)'],
  ['a [x:y:0.8]', [], 'a [x:y:0.8]'],
  ['[x:y]', ['not-a-schedule'], '[x:y]'],
  ['[x:1.1.1]', ['not-a-schedule'], '[x:1.1.1]'],
  ['[x|y:0.8]', ['schedule-unreadable'], '[x|y\\:0.8]'],
  ['[x:5]::', ['schedule-hidden'], '[x:5] ::'],
  // Brackets that are never closed close where their part ends.
  ['(a AND b', ['unclosed-bracket'], '(a) AND b'],
  ['(a [b:c:5]', ['unclosed-bracket'], '(a [b:c:5])'],
  ['(a [b|]', ['unclosed-bracket'], '(a [b|])'],
  ['(a [:b:5]', ['unclosed-bracket'], '(a [:b:5])'],
  ['a AND (b:0.5', ['unclosed-bracket'], 'a AND (b):0.5'],
  ['(a\n# b', ['unclosed-bracket'], '(a)\n# b'],
  ['(a\n# b\n# c', ['unclosed-bracket'], '(a)\n# b\n# c'],
  ['(a<lora:b>', ['unclosed-bracket'], '(a)<lora:b>'],
  // A mended bracket leaves what the text does not hold, and schedules, as they are.
  ['(a <lora:b> BREAK c)', ['break-in-brackets'], '(a <lora:b> BREAK c)'],
  ['([a BREAK:b:5] c)', ['break-in-brackets'], '([a BREAK:b:5] c)'],
  ['(a BREAK [b:c:5])', ['break-in-brackets'], '(a) BREAK ([b:c:5])'],
  ['(a:1<lora:b>,5)', ['not-a-number-weight'], '(a:1<lora:b>,5)'],
  ['[a):b:5]', ['unmatched-bracket'], '[a\\):b:5]'],
  // A backslash that keeps a mark from parting is no stray one.
  ['[a\\:b|c\\|d]', [], '[a\\:b|c\\|d]'],
  ['[a\\b|c]', ['lone-backslash'], '[a\\\\b|c]'],
  // Networks in schedules.
  ['[<lora:a:1>b:5]', ['network-not-scheduled'], '[<lora:a:1>b:5]'],
  ['[<lora:a:1>|b]', ['network-not-scheduled'], '[<lora:a:1>|b]'],
  ['(<lora:a:1>b) [c:5]', [], '(<lora:a:1>b) [c:5]'],
  ['x# [y:0.8]', ['comment-in-line'], 'x [y:0.8]'],
])('%j: %j, mended as %j', (prompt, codes, fixed) => {
  const { diagnostics } = stepped(prompt);
  expect(diagnostics.map(({ code }) => code)).toEqual(codes);
  if (diagnostics.length > 0) expect(applyFix(prompt, diagnostics[0])).toBe(fixed);
});

test('what is wrong in several steps is told once, by place', () => {
  const { diagnostics } = stepped('[a|b] (c [d|e] (f:1,5)', positive, { steps: 4 });
  expect(diagnostics.map(({ code, start }) => [code, start])).toEqual([
    ['unclosed-bracket', 6],
    ['not-a-number-weight', 17],
  ]);
});

test('numbers are held against the steps of the first pass', () => {
  const codes = (options: StepOptions) => stepped('[a:b:10]', positive, options).diagnostics.map(({ code }) => code);
  expect(codes({ steps: 20 })).toEqual([]);
  expect(codes({ steps: 10 })).toEqual(['never-switches']);
});

// biome-ignore format: a list of words
const atoms = [
  '(', ')', '[', ']', ':', '|', '\\', ':5]', ':.5]', ':1.2)', '[a:b:5]', '[a|b]', '5', ' ', '\n', '#', '<', '>', '<lora:x:1>',
  ' AND ', ' BREAK ', ':2 AND', 'a', 'é', '猫', '😀', '\ud83d', '\udc00', '\x1c', '\ufeff',
];
const prompts = fc.oneof(
  fc.array(fc.constantFrom(...atoms), { maxLength: 30 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary' }),
);

function expectInside(nodes: readonly Node[], start: number, end: number): void {
  for (const node of nodes) {
    expect(node.start).toBeGreaterThanOrEqual(start);
    expect(node.end).toBeLessThanOrEqual(end);
    expect(node.end).toBeGreaterThanOrEqual(node.start);
    if (node.type === 'scheduled')
      for (const list of [node.before, node.after]) expectInside(list, node.start, node.end);
    if (node.type === 'alternate') for (const list of node.options) expectInside(list, node.start, node.end);
    if (node.type === 'weighted') expectInside(node.children, node.start, node.end);
    if (node.type === 'composite')
      for (const { children, range } of node.parts) expectInside(children, range.start, range.end);
  }
}

test('all ranges lie in the prompt, and characters are those that were typed there', () => {
  fc.assert(
    fc.property(prompts, fc.constantFrom(positive, negative), (prompt, options) => {
      const read = readA1111Prompt(prompt, options);
      const { parts, diagnostics } = stepA1111Prompt(read, { steps: 3 });
      const { length } = prompt;
      expectInside([...read.nodes, ...read.comments, ...read.networks], 0, length);
      let place = 0;
      for (const { start, end, code, fix } of diagnostics) {
        expect(start, code).toBeGreaterThanOrEqual(place);
        expect(end, code).toBeGreaterThan(start);
        expect(end, code).toBeLessThanOrEqual(length);
        place = start;
        for (const edit of fix?.edits ?? []) {
          expect(edit.start).toBeGreaterThanOrEqual(0);
          expect(edit.end).toBeGreaterThanOrEqual(edit.start);
          expect(edit.end).toBeLessThanOrEqual(length);
        }
      }
      parts.forEach(({ steps }, i) => {
        expect(steps.at(-1)!.endAtStep).toBe(3);
        for (const { text, parsed } of steps) {
          expectInside(parsed.nodes, read.parts[i].start, read.parts[i].end);
          for (const { starts, ends, text: characters } of [text, ...parsed.fragments]) {
            expect([starts.length, ends.length]).toEqual([characters.length, characters.length]);
            starts.forEach((start, at) => {
              // A comment leaves a line feed, an escape its character.
              if (characters[at] !== '\n') expect(prompt.slice(start, ends[at]).at(-1)).toBe(characters[at]);
              expect(start).toBeLessThan(ends[at]);
            });
          }
        }
      });
    }),
    { numRuns: 1000 },
  );
});

test('each mended thing is one less', () => {
  const mended = [
    'unclosed-bracket',
    'unmatched-bracket',
    'lone-backslash',
    'break-in-brackets',
    'guidance-weight',
    'schedule-not-weight',
  ];
  fc.assert(
    fc.property(prompts, (prompt) => {
      for (const diagnostic of stepped(prompt).diagnostics) {
        const { code, fix } = diagnostic;
        const count = (text: string) => stepped(text).diagnostics.filter((other) => other.code === code).length;
        if (fix && mended.includes(code)) expect(count(applyFix(prompt, diagnostic)), code).toBeLessThan(count(prompt));
      }
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['a photo of a (cat:1.2), [dog], ', 3_000],
  ['(a) [b:c:5]: ', 7_000],
  ['[a|b] ', 16_000],
  ['(a', 50_000],
  ['#\n', 50_000],
  ['<lora:a:1> ', 9_000],
  ['a AND ', 16_000],
  ['[<l:a>b:5]', 10_000],
])('%j, %i times over, is read at once', (part, times) => {
  const prompt = part.repeat(times);
  expect(stepped(prompt, positive, { steps: 2 }).parts.length).toBeGreaterThan(0);
});

test('square brackets weigh what the options say, in every step', () => {
  const weights = (options: StepOptions) =>
    stepped('[a] [b:c:0.5]', positive, options).parts[0].steps.map(({ parsed }) => parsed.fragments[0].weight);
  expect(weights({ steps: 2 })).toEqual([1 / 1.1, 1 / 1.1]);
  expect(weights({ steps: 2, squareFactor: 0.9 })).toEqual([0.9, 0.9]);
});
