import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import type { Diagnostic } from '../ast.ts';
import recorded from '../recorded/a1111_schedule.json';
import grammar from '../recorded/a1111_schedule_grammar.json';
import { joinSources, sliceSource, sourceText } from '../sourceText.ts';
import { applyFix } from '../testing/applyFix.ts';
import {
  entryAtCall,
  parseSchedule,
  resolveSchedule,
  type ScheduleNode,
  type ScheduleOptions,
  scheduleDiagnostics,
  textAtStep,
} from './promptSchedule.ts';

type Outline = string | [string, ...unknown[]];

function outline(nodes: readonly ScheduleNode[]): Outline[] {
  return nodes.map((node) => {
    if (node.type === 'text') return node.text;
    if (node.type === 'alternate') return ['A', ...node.options.map(outline)];
    return ['S', outline(node.before), outline(node.after), node.number];
  });
}

function parsed(prompt: string): Outline[] {
  return outline(parseSchedule(sourceText(prompt)).nodes);
}

function texts(prompt: string, options: ScheduleOptions): [number, string][] {
  return resolveSchedule(parseSchedule(sourceText(prompt)), options).map(({ endAtStep, text }) => [
    endAtStep,
    text.text,
  ]);
}

/** The recording has hires passes, too, which are not read here. */
const firstPasses = recorded.filter(({ hiresSteps }) => hiresSteps === null);

test.each(firstPasses)('recorded: $prompt, $steps steps, before 1.6: $useOldScheduling', (recording) => {
  const { prompt, steps, useOldScheduling, result } = recording;
  expect(texts(prompt, { steps, useOldScheduling })).toEqual(result);
});

test.each(grammar as [string, Outline[] | null][])('recorded of the grammar: %j', (prompt, structure) => {
  expect(parsed(prompt)).toEqual(structure ?? (prompt === '' ? [] : [prompt]));
});

// biome-ignore format: one prompt, one line
test.each<[string, Outline[]]>([
  // The forms.
  ['[a:b:5]', [['S', ['a'], ['b'], '5']]],
  ['[b:5]', [['S', [], ['b'], '5']]],
  ['[a::5]', [['S', ['a'], [], '5']]],
  ['[:5]', [['S', [], [], '5']]],
  ['[::5]', [['S', [], [], '5']]],
  ['[a|b]', [['A', ['a'], ['b']]]],
  ['[|]', [['A', [], []]]],
  ['[a|b||]', [['A', ['a'], ['b'], [], []]]],
  // Brackets that weigh are text, in and around them.
  ['([a:5])', ['(', ['S', [], ['a'], '5'], ')']],
  ['(a:1.2) [(b:[c]):5]', ['(a:1.2) ', ['S', [], ['(b:[c])'], '5']]],
  ['[a]', ['[a]']],
  ['(a:b)', ['(a:b)']],
  ['(a|b)', ['(a|b)']],
  // Nesting.
  ['[a:[b:c:2]:1]', [['S', ['a'], [['S', ['b'], ['c'], '2']], '1']]],
  ['[a|[b|c:(d)]]', ['[a|[b|c:(d)]]']],
  ['[a|(b [c:5])]', [['A', ['a'], ['(b ', ['S', [], ['c'], '5'], ')']]]],
  // Numbers: decimal, ASCII, alone between colon and bracket, whitespace around them.
  ['[a:-1]', [['S', [], ['a'], '-1']]],
  ['[a:+.5e-1]', [['S', [], ['a'], '+.5e-1']]],
  ['[a:5.]', [['S', [], ['a'], '5.']]],
  ['[a:1E2]', [['S', [], ['a'], '1E2']]],
  ['[a:\x1c\n5\u3000]', [['S', [], ['a'], '5']]],
  ['[a:\ufeff5]', ['[a:\ufeff5]']],
  ['[a:.]', ['[a:.]']],
  ['[a:--1]', ['[a:--1]']],
  ['[a:1_0]', ['[a:1_0]']],
  ['[a:inf]', ['[a:inf]']],
  ['[a:５]', ['[a:５]']],
  ['[a:5 x]', ['[a:5 x]']],
  ['[a:5(x)]', ['[a:5(x)]']],
  ['[a:(x)5]', ['[a:(x)5]']],
  ['[a:5\\]]', ['[a:5\\]]']],
  ['[a:5:6]', [['S', ['a'], ['5'], '6']]],
  // Brackets that are no schedule.
  ['[a:b]', ['[a:b]']],
  ['[a:b:c:5]', ['[a:b:c:5]']],
  ['(a:5]', ['(a:5]']],
  ['[a:5)', ['[a:5)']],
  ['[(a:5]', ['[(a:5]']],
  ['[a):5]', ['[a):5]']],
  ['(a:b:[c:5])', ['(a:b:', ['S', [], ['c'], '5'], ')']],
  // Escapes stay, and hide what they escape.
  ['\\[a:5\\]', ['\\[a:5\\]']],
  ['[\\::5]', [['S', [], ['\\:'], '5']]],
  ['[a\\|b|c]', [['A', ['a\\|b'], ['c']]]],
  ['\\\\[a:5]', ['\\\\', ['S', [], ['a'], '5']]],
  ['[\\😀:5]', [['S', [], ['\\😀'], '5']]],
  // A prompt that cannot be read is text, all of it.
  ['[a:5] | b', ['[a:5] | b']],
  ['[a:5] \\', ['[a:5] \\']],
  ['[a:5] \\\nb', ['[a:5] \\\nb']],
  ['[a:5] \\\rb', [['S', [], ['a'], '5'], ' \\\rb']],
  ['[a|b:5]', ['[a|b:5]']],
  ['[a:b|c:5]', ['[a:b|c:5]']],
  ['[a|b) [c:5]', ['[a|b) [c:5]']],
  ['[a|b [c:5]', ['[a|b [c:5]']],
  ['[c:5] [a|(b]', ['[c:5] [a|(b]']],
  // Brackets that match nothing are text, and may take the schedule before them with them.
  ['([a:5]', ['(', ['S', [], ['a'], '5']]],
  ['[a:5]]', [['S', [], ['a'], '5'], ']']],
  ['[a:5]]]', ['[a:5]]]']],
  ['[a:5]]]]', [['S', [], ['a'], '5'], ']]]']],
  ['[a:5]::b', ['[a:5]::b']],
  ['[a:5] ::b', [['S', [], ['a'], '5'], ' ::b']],
  ['[a:5][', [['S', [], ['a'], '5'], '[']],
  ['[a:5][(', ['[a:5][(']],
  ['[a:5]((x', ['[a:5]((x']],
  ['[a:5](x', [['S', [], ['a'], '5'], '(x']],
  ['[a|b]]]', [['A', ['a'], ['b']], ']]']],
  ['([a:5])]', ['([a:5])]']],
  ['[[a:5]:b:5]))', ['[', ['S', [], ['a'], '5'], ':b:5]))']],
])('reads %j as the original does', (prompt, expected) => {
  expect(parsed(prompt)).toEqual(expected);
});

/** The last of 20 steps with the first text of `[a:b:number]`. */
// biome-ignore format: one number, one line
test.each<[string, number]>([
  // The number, and the last step of the first: 0 is never, 20 always.
  ['1', 1],
  ['5', 5],
  ['19', 19],
  ['20', 20],
  ['21', 20],
  ['29', 20],
  ['30', 20],
  ['0', 0],
  ['-5', 0],
  ['1e1', 10],
  ['0.5', 10],
  ['.5', 10],
  ['0.04', 0],
  ['0.05', 1],
  ['0.09', 1],
  ['0.999', 19],
  ['1.0', 20],
  ['1.5', 20],
  ['1.99', 20],
  ['2.', 20],
  ['5.5', 20],
  ['-0.5', 0],
  ['5e-1', 0],
  ['0.5e1', 20],
  ['1e999', 20],
])('[a:b:%s]', (number, first) => {
  const expected = (last: number, steps: number) => [
    ...(last >= 1 ? [[Math.min(last, steps), 'a']] : []),
    ...(last < steps ? [[steps, 'b']] : []),
  ];
  const prompt = `[a:b:${number}]`;
  expect(texts(prompt, { steps: 20 })).toEqual(expected(first, 20));
});

test('alternations count steps from 1 and list each, also those within others', () => {
  expect(texts('[a|b|c]', { steps: 4 })).toEqual([
    [1, 'a'],
    [2, 'b'],
    [3, 'c'],
    [4, 'a'],
  ]);
  expect(texts('[a|[b|c]]', { steps: 4 })).toEqual([
    [1, 'a'],
    [2, 'c'],
    [3, 'a'],
    [4, 'c'],
  ]);
  expect(texts('[[a|b]:c:2]', { steps: 4 })).toEqual([
    [1, 'a'],
    [2, 'b'],
    [3, 'c'],
    [4, 'c'],
  ]);
  expect(texts('[|a]', { steps: 2 })).toEqual([
    [1, ''],
    [2, 'a'],
  ]);
});

test('texts that read the same are listed apart, but are one object where they are the same characters', () => {
  const entries = resolveSchedule(parseSchedule(sourceText('[x:x:2] [a|b]')), { steps: 6 });
  expect(entries.map(({ text }) => text.text)).toEqual(['x a', 'x b', 'x a', 'x b', 'x a', 'x b']);
  expect(entries[4].text).toBe(entries[2].text);
  expect(entries[2].text).not.toBe(entries[0].text);
});

test('the sampler takes an entry one call longer than its last step', () => {
  const entries = [{ endAtStep: 5 }, { endAtStep: 20 }];
  expect([0, 5, 6, 19, 25].map((call) => entryAtCall(entries, call).endAtStep)).toEqual([5, 5, 20, 20, 20]);
});

test('nodes and texts know where they were typed, in a derived text too', () => {
  const prompt = 'x <y>[ab<z>:c:5] d';
  const whole = sourceText(prompt);
  const source = joinSources([sliceSource(whole, 0, 2), sliceSource(whole, 5, 8), sliceSource(whole, 11)]);
  const tree = parseSchedule(source);
  expect(tree.nodes).toMatchObject([
    { type: 'text', text: 'x ', start: 0, end: 2 },
    {
      type: 'scheduled',
      start: 5,
      end: 16,
      before: [{ text: 'ab', start: 6, end: 8 }],
      after: [{ text: 'c', start: 12, end: 13 }],
      withoutBefore: false,
      when: { start: 14, end: 15 },
      number: '5',
    },
    { type: 'text', text: ' d', start: 16, end: 18 },
  ]);
  expect(textAtStep(tree, 6, { steps: 10 })).toEqual({
    text: 'x c d',
    starts: [0, 1, 12, 16, 17],
    ends: [1, 2, 13, 17, 18],
  });
  expect(textAtStep(parseSchedule(sourceText('[a:5]')), 1, { steps: 10 })).toEqual({ text: '', starts: [], ends: [] });
});

function diagnosticsOf(prompt: string): Diagnostic[] {
  const tree = parseSchedule(sourceText(prompt));
  return [...tree.diagnostics, ...scheduleDiagnostics(tree, { steps: 20 })];
}

// biome-ignore format: one prompt, one line
test.each<[string, string, string, string, RegExp]>([
  ['[a|b] | c', 'schedule-unreadable', '|', '[a|b] \\| c', /in square brackets alone/],
  ['[a:b|c:5]', 'schedule-unreadable', '|', '[a:b\\|c:5]', /in square brackets alone/],
  ['[a|(b|c)]', 'schedule-unreadable', '|', '[a|(b\\|c)]', /in square brackets alone/],
  ['[a|b:0.5]', 'schedule-unreadable', ':', '[a|b\\:0.5]', /no colon in an alternation/],
  ['[a|b', 'schedule-unreadable', '|', '[a\\|b', /never closed/],
  ['[a:5] [a|[b|c]', 'schedule-unreadable', '|', '[a:5] [a\\|[b|c]', /never closed/],
  ['[a|(b] c', 'schedule-unreadable', '|', '[a\\|(b] c', /in square brackets alone/],
  ['[a|(b:c:d)]', 'schedule-unreadable', '|', '[a\\|(b:c:d)]', /in square brackets alone/],
  ['[a:5] b\\', 'schedule-unreadable', '\\', '[a:5] b\\\\', /backslash/],
  ['\\\n[a:5]', 'schedule-unreadable', '\\', '\\\\\n[a:5]', /backslash/],
  ['[a:5]::', 'schedule-hidden', '[a:5]', '[a:5] ::', /put a space/],
  ['[a:b]', 'not-a-schedule', '[a:b]', '[a:b]', /0\.909/],
  ['[a:b:5x]', 'not-a-schedule', '[a:b:5x]', '[a:b:5x]', /0\.909/],
  ['[a:b:c:5]', 'not-a-schedule', '[a:b:c:', '[a:b:c:5]', /0\.909/],
  ['[a:b:0]', 'switches-at-once', '0', '[a:b:0]', /before the first step/],
  ['[b:0]', 'switches-at-once', '0', '[b:0]', /before the first step/],
  ['[a:b:0.01]', 'switches-at-once', '0.01', '[a:b:0.01]', /before the first step/],
  ['[a:b:20]', 'never-switches', '20', '[a:b:20]', /There are 20 steps/],
  ['[a:b:1.0]', 'never-switches', '1.0', '[a:b:1.0]', /less than 1\.0/],
  ['[a:b:5.5]', 'never-switches', '5.5', '[a:b:5]', /less than 1\.0/],
  ['[a:b:20.5]', 'never-switches', '20.5', '[a:b:20.5]', /less than 1\.0/],
  ['[x:0.8]', 'schedule-not-weight', '[x:0.8]', '(x:0.8)', /the text in the brackets comes in after step 16 of 20/],
  ['[x: .5 ]', 'schedule-not-weight', '[x: .5 ]', '(x: .5 )', /comes in after step 10 of 20/],
  ['[x:1.2]', 'schedule-not-weight', '[x:1.2]', '(x:1.2)', /would come after the last step/],
  ['[x:-0.5]', 'schedule-not-weight', '[x:-0.5]', '(x:-0.5)', /from the first step/],
  ['[x:5.e-1]', 'schedule-not-weight', '[x:5.e-1]', '[x:5.e-1]', /comes in after step 10 of 20/],
  ['[a:b:1e999]', 'schedule-number-too-large', '1e999', '[a:b:1e999]', /stops A1111/],
])('%j: %s at %j, mended as %j', (prompt, code, place, fixed, message) => {
  const diagnostics = diagnosticsOf(prompt);
  expect(diagnostics.map((diagnostic) => diagnostic.code)).toEqual([code]);
  const [diagnostic] = diagnostics;
  expect(prompt.slice(diagnostic.start, diagnostic.end)).toBe(place);
  expect(diagnostic.message).toMatch(message);
  expect(diagnostic.message).toMatch(/^(?:(?!\. ).)+\.$/);
  expect(applyFix(prompt, diagnostic)).toBe(fixed);
});

test.each([
  ['[x:1.2]', 'schedule-not-weight', /for a step, not a weight: the text in the brackets comes in after step 1 of 20/],
  [
    '[x:0.8]',
    'schedule-not-weight',
    /for a share of the steps, not a weight: the text in the brackets comes in after step 16 of 20/,
  ],
  ['[a:b:20.5]', 'never-switches', /There are 20 steps/],
  ['[a:b:0.0]', 'switches-at-once', /before the first step/],
])('before 1.6, %j: %s', (prompt, code, message) => {
  const options = { steps: 20, useOldScheduling: true };
  const diagnostics = scheduleDiagnostics(parseSchedule(sourceText(prompt)), options);
  expect(diagnostics.map((diagnostic) => diagnostic.code)).toEqual([code]);
  expect(diagnostics[0].message).toMatch(message);
});

test.each([
  '',
  '(masterpiece:1.2), [bad anatomy], ((cat)), tifa \\(final fantasy\\)',
  'a cat [from:to:0.5] and [dog::5] and [bird:10]',
  '[a|b], {c} and a: b',
  'a | b',
  'a\\',
  '((a] b :) x',
])('says nothing about %j', (prompt) => {
  expect(diagnosticsOf(prompt)).toEqual([]);
});

test('schedules nest up to 100 deep, beyond which all is text', () => {
  const nested = (depth: number) => `${'[a:'.repeat(depth)}b${':5]'.repeat(depth)} [c|d]`;
  expect(texts(nested(100), { steps: 6 })).toHaveLength(6);
  expect(texts(nested(101), { steps: 6 })).toEqual([[6, nested(101)]]);
  expect(diagnosticsOf(nested(101))).toMatchObject([{ code: 'schedule-too-deep', severity: 'error' }]);
  const weights = (depth: number) => `${'('.repeat(depth)}[a:5]${')'.repeat(depth)}`;
  expect(texts(weights(5_000), { steps: 6 })).toHaveLength(2);
});

// biome-ignore format: a list of words
const atoms = [
  '(', ')', '[', ']', ':', '|', '\\', '[', ']', ':5]', ':.5]', ': 5 ]', '[a:b:5]', '[a|b]', '[x:0.3]', '5', ' ', '\n',
  'a', 'word', '猫', '😀', '\ud83d', '\udc00', '\x1c', '\ufeff', 'AND', '(a:1.2)', '\\(', '\\|',
];
const prompts = fc.oneof(
  fc.array(fc.constantFrom(...atoms), { maxLength: 30 }).map((parts) => parts.join('')),
  fc
    .array(fc.constantFrom('(', '[', ')', ']', 'a', ':', ':5]', '[a:5]'), { maxLength: 30 })
    .map((parts) => parts.join('')),
  fc.string({ unit: 'binary' }),
);

/** Checks that nodes lie in their range one after the other, and returns the text between schedules. */
function expectNodesInside(nodes: readonly ScheduleNode[], start: number, end: number, prompt: string): void {
  let position = start;
  for (const node of nodes) {
    expect(node.start).toBeGreaterThanOrEqual(position);
    expect(node.end).toBeGreaterThan(node.start);
    expect(node.end).toBeLessThanOrEqual(end);
    position = node.end;
    if (node.type === 'text') {
      expect(node.text).toBe(prompt.slice(node.start, node.end));
      continue;
    }
    expect(prompt[node.start] + prompt[node.end - 1]).toBe('[]');
    const lists = node.type === 'alternate' ? node.options : [node.before, node.after];
    for (const list of lists) expectNodesInside(list, node.start + 1, node.end - 1, prompt);
    if (node.type === 'scheduled') expect(prompt.slice(node.when.start, node.when.end)).toBe(node.number);
  }
}

test('nodes hold all that was typed but the marks of schedules, and a step chooses among them', () => {
  fc.assert(
    fc.property(prompts, fc.integer({ min: 1, max: 8 }), (prompt, steps) => {
      const tree = parseSchedule(sourceText(prompt));
      expectNodesInside(tree.nodes, 0, prompt.length, prompt);
      if (tree.nodes.every(({ type }) => type === 'text')) expect(tree.nodes.length).toBe(prompt === '' ? 0 : 1);
      const entries = resolveSchedule(tree, { steps });
      expect(entries.at(-1)!.endAtStep).toBe(steps);
      for (let step = 1; step <= steps; step++) {
        const entry = entries.find(({ endAtStep }) => step <= endAtStep)!;
        expect(entry.text).toEqual(textAtStep(tree, step, { steps }));
        expect([...entry.text.starts].map((start) => prompt[start]).join('')).toBe(entry.text.text);
      }
    }),
    { numRuns: 1000 },
  );
});

test('diagnostics lie in the prompt, and a space brings back each hidden schedule', () => {
  fc.assert(
    fc.property(prompts, (prompt) => {
      const hidden = (text: string) => diagnosticsOf(text).filter(({ code }) => code === 'schedule-hidden');
      for (const diagnostic of diagnosticsOf(prompt)) {
        expect(diagnostic.start).toBeGreaterThanOrEqual(0);
        expect(diagnostic.end).toBeGreaterThan(diagnostic.start);
        expect(diagnostic.end).toBeLessThanOrEqual(prompt.length);
      }
      const [first] = hidden(prompt);
      if (first) expect(hidden(applyFix(prompt, first)).some(({ start }) => start === first.start)).toBe(false);
    }),
    { numRuns: 1000 },
  );
});

test.each([
  ['(', 100_000],
  ['[', 100_000],
  [']', 100_000],
  [':', 100_000],
  ['[a|', 33_000],
  ['|', 100_000],
  ['\\', 100_001],
  [' ', 100_000],
  ['a ', 50_000],
  ['[a:', 33_000],
  ['(a:', 33_000],
  ['(a) ', 25_000],
  ['(a) [b:c:5]: ', 7_000],
  ['[a|b]:::', 7_000],
  ['[a:5]]]', 14_000],
])('%j, %i times over, is read at once', (part, times) => {
  const prompt = part.repeat(times);
  const tree = parseSchedule(sourceText(prompt));
  expect(resolveSchedule(tree, { steps: 2 }).at(-1)?.endAtStep).toBe(2);
  scheduleDiagnostics(tree, { steps: 2 });
});
