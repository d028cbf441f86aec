import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import type { Diagnostic, Node } from '../ast.ts';
import recorded from '../recorded/a1111_attention.json';
import { joinSources, sliceSource, sourceText } from '../sourceText.ts';
import { applyFix } from '../testing/applyFix.ts';
import { lectureSquareFactor, parseA1111 } from './emphasis.ts';

type Row = { prompt: string; result?: [string, number][]; error?: string };

function pairs(prompt: string): [string, number][] {
  return parseA1111(prompt).fragments.map(({ text, weight }) => [text, weight]);
}

function errors(prompt: string): Diagnostic[] {
  return parseA1111(prompt).diagnostics.filter(({ severity }) => severity === 'error');
}

test.each(recorded as Row[])('recorded: $prompt', ({ prompt, result, error }) => {
  if (result) expect(pairs(prompt)).toEqual(result);
  expect(errors(prompt)).toHaveLength(error ? 1 : 0);
});

/** 1/1.1 of the original, as a literal. */
const down = 0.9090909090909091;

// biome-ignore format: one prompt, one line
test.each<[string, [string, number][]]>([
  // Round and square brackets know nothing of each other.
  ['(a]', [['a]', 1.1]]],
  ['[(a:1.2]', [['a:1.2', 1]]],
  ['(a[b)c]', [['a', 1.1], ['b', 1.1 * down], ['c', down]]],
  ['[x:1.5)', [['x:1.5)', down]]],
  ['[a:0.8]', [['a:0.8', down]]],
  // Numbers multiply what is around them.
  ['(a (b:2) c:3)', [['a ', 3], ['b', 6], [' c', 3]]],
  ['((a:2):3)', [['a', 6]]],
  ['(a:.5)', [['a', 0.5]]],
  ['(a:-1)', [['a', -1]]],
  ['(a:+.5)', [['a', 0.5]]],
  ['(a:2.)', [['a', 2]]],
  ['(a: 1.5 )', [['a', 1.5]]],
  ['(a:\n1.5\t)', [['a', 1.5]]],
  ['(a:0)', [['a', 0]]],
  ['(:1.5)', [['', 1]]],
  ['(a:b:1.2)', [['a:b', 1.2]]],
  ['(a:007)', [['a', 7]]],
  // Only plain decimal numbers count.
  ['(a:1e3)', [['a:1e3', 1.1]]],
  ['(a:inf)', [['a:inf', 1.1]]],
  ['(a:1_0)', [['a:1_0', 1.1]]],
  ['(a:--1)', [['a:--1', 1.1]]],
  ['(a:1,5)', [['a:1,5', 1.1]]],
  ['(a:)', [['a:', 1.1]]],
  ['(a:²)', [['a:²', 1.1]]],
  // Float64 products, merged only when exactly equal.
  ['((a))', [['a', 1.2100000000000002]]],
  ['(a:1.21)((a))', [['a', 1.21], ['a', 1.2100000000000002]]],
  ['[[a]]', [['a', down * down]]],
  ['(a:1.1)(b)', [['ab', 1.1]]],
  ['(a:-0)(b:0)', [['ab', -0]]],
  ['((a:-0)', [['a', -0]]],
  ['((a:0)(b:-0', [['a', 0], ['b:-0', 1.1 * 1.1]]],
  ['((a:0)b(c:-0)', [['a', 0], ['b', 1.1], ['c', -0]]],
  ['((a:3)b(c:3)', [['a', 3 * 1.1], ['b', 1.1], ['c', 3 * 1.1]]],
  ['(((a:3)(b', [['a', 3 * 1.1 * 1.1], ['b', 1.1 * 1.1 * 1.1]]],
  ['red(car)', [['red', 1], ['car', 1.1]]],
  // Unclosed brackets multiply after all closed ones, round before square.
  ['[(a', [['a', 1.1 * down]]],
  ['([a:3)', [['a', 3 * down]]],
  ['(a [b', [['a ', 1.1], ['b', 1.1 * down]]],
  // Escapes; a lone backslash goes.
  ['a\\b', [['ab', 1]]],
  ['\\', [['', 1]]],
  ['\\\\\\\\', [['\\\\', 1]]],
  ['\\(\\)\\[\\]', [['()[]', 1]]],
  ['\\:1.5', [[':1.5', 1]]],
  ['', [['', 1]]],
  ['()[]', [['', 1]]],
  // BREAK.
  ['a BREAK BREAK b', [['a', 1], ['BREAK', -1], ['', 1], ['BREAK', -1], ['b', 1]]],
  ['a,BREAK,b', [['a,', 1], ['BREAK', -1], [',b', 1]]],
  ['break aBREAKb a_BREAK BREAK2', [['break aBREAKb a_BREAK BREAK2', 1]]],
  ['(a BREAK b)', [['a', 1.1], ['BREAK', -1.1], ['b', 1.1]]],
  ['(BREAK:-1)', [['', -1], ['BREAK', 1], ['', -1]]],
  ['(a BREAK b:0)', [['aBREAKb', 0]]],
])('reads %j as the original does', (prompt, expected) => {
  expect(pairs(prompt)).toEqual(expected);
});

// biome-ignore format: one prompt, one line
test.each<[string, [string, number][]]>([
  ['(a:１.５)', [['a', 1.5]]],
  ['(a:٣)', [['a', 3]]],
  ['(a:1٣.५)', [['a', 13.5]]],
  ['(a:𝟘𝟙.𝟝𝟡)', [['a', 1.59]]],
  ['(a:\x1c1.5\x1f)', [['a', 1.5]]],
  ['(a:\x851.5\u3000)', [['a', 1.5]]],
  ['(a:\ufeff1.5)', [['a:\ufeff1.5', 1.1]]],
  ['(a:\u200b1.5)', [['a:\u200b1.5', 1.1]]],
  ['a\x1e\x85BREAK\u2029b', [['a', 1], ['BREAK', -1], ['b', 1]]],
  ['a\ufeffBREAK\ufeffb', [['a\ufeff', 1], ['BREAK', -1], ['\ufeffb', 1]]],
  ['éBREAK', [['éBREAK', 1]]],
  ['BREAK猫', [['BREAK猫', 1]]],
  ['BREAK½ BREAKⅧ 𝐀BREAK', [['BREAK½ BREAKⅧ 𝐀BREAK', 1]]],
  ['BREAK\u0301', [['', 1], ['BREAK', -1], ['\u0301', 1]]],
  ['😀BREAK\ud83d', [['😀', 1], ['BREAK', -1], ['\ud83d', 1]]],
])('reads the Unicode of %j as Python does', (prompt, expected) => {
  expect(pairs(prompt)).toEqual(expected);
});

test('reads the digits of every script', () => {
  const digits = Array.from({ length: 0x110000 }, (_, code) => code)
    .filter((code) => code < 0xd800 || code > 0xdfff)
    .map((code) => String.fromCodePoint(code))
    .filter((character) => /\p{Nd}/u.test(character));
  expect(digits.length).toBeGreaterThan(600);
  digits.forEach((digit, i) => {
    expect(pairs(`(a:${digit}.5)`), digit).toEqual([['a', (i % 10) + 0.5]]);
  });
});

// biome-ignore format: one prompt, one line
test.each<[string, [string, number][], string]>([
  ['(a:1.1.1)', [['a:1.1.1', 1.1]], '(a:1.1)'],
  ['(a:1.2.)', [['a:1.2.', 1.1]], '(a:1.2)'],
  ['(a:.)', [['a:.', 1.1]], '(a:.)'],
  ['((a: -1..2 ) b:2)', [['a: -1..2 ', 2.2], [' b', 2]], '((a:-1) b:2)'],
])('takes %j, on which the original raises, as text at 1.1', (prompt, expected, fixed) => {
  expect(pairs(prompt)).toEqual(expected);
  const [error] = errors(prompt);
  expect(error.code).toBe('not-a-number-weight');
  expect(applyFix(prompt, error)).toBe(fixed);
});

test('the same text outside round brackets is no error', () => {
  expect(errors('[a:1.1.1) b:.)')).toEqual([]);
  expect(pairs('a:1.1.1)')).toEqual([['a:1.1.1)', 1]]);
});

test.each<[string, string[]]>([
  ['a BREAK b', ['text', 'break', 'text']],
  ['(a BREAK b)', ['text', 'text', 'text']],
  ['(a BREAK b:1)', ['text', 'break', 'text']],
  ['(BREAK:-1)', ['text', 'text', 'text']],
  ['((BREAK:-1):-1)', ['text', 'break', 'text']],
  ['(B\\REAK:-1)', ['break']],
  ['(BREAK:0)', ['text']],
])('a chunk ends in %j only where the weight is exactly -1', (prompt, kinds) => {
  expect(parseA1111(prompt).fragments.map(({ kind }) => kind)).toEqual(kinds);
});

test('every unit knows where it was typed', () => {
  const { fragments } = parseA1111('a\\(\\b(c:1.5)  BREAK ');
  expect(fragments).toEqual([
    { kind: 'text', weight: 1, text: 'a(b', starts: [0, 1, 4], ends: [1, 3, 5], start: 0, end: 5 },
    { kind: 'text', weight: 1.5, text: 'c', starts: [6], ends: [7], start: 6, end: 7 },
    { kind: 'text', weight: 1, text: '', starts: [], ends: [], start: 12, end: 12 },
    {
      kind: 'break',
      weight: -1,
      text: 'BREAK',
      starts: [14, 15, 16, 17, 18],
      ends: [15, 16, 17, 18, 19],
      start: 14,
      end: 19,
    },
    { kind: 'text', weight: 1, text: '', starts: [], ends: [], start: 20, end: 20 },
  ]);
});

/** Nodes as brackets around the source they hold: round with their value, square as they are. */
function outline(prompt: string): unknown[] {
  const slice = (range: { start: number; end: number } | null) => range && prompt.slice(range.start, range.end);
  const walk = (nodes: readonly Node[]): unknown[] =>
    nodes.map((node) => {
      if (node.type !== 'weighted') return node.type === 'text' ? node.text : node.type;
      const { form, open, close, number, value } = node;
      return [form, value, slice(node), slice(open), slice(close), slice(number), walk(node.children)];
    });
  return walk(parseA1111(prompt).nodes);
}

test('a derived text keeps the ranges of the prompt', () => {
  const prompt = '(a<x>\\(b: 1.5 ) BREAK<y> [';
  const whole = sourceText(prompt);
  const source = joinSources([sliceSource(whole, 0, 2), sliceSource(whole, 5, 21), sliceSource(whole, 24)]);
  const { source: text, nodes, fragments, diagnostics } = parseA1111(source);
  expect(text).toBe('(a\\(b: 1.5 ) BREAK [');
  expect(fragments).toMatchObject([
    { text: 'a(b', weight: 1.5, starts: [1, 5, 7], ends: [2, 7, 8], start: 1, end: 8 },
    { text: '', weight: 1, start: 15, end: 15 },
    { kind: 'break', start: 16, end: 21 },
    { text: '', weight: 1, start: 25, end: 25 },
  ]);
  expect(nodes).toMatchObject([
    { start: 0, end: 15, open: { start: 0, end: 1 }, close: { start: 8, end: 15 }, number: { start: 10, end: 13 } },
    { type: 'break', start: 16, end: 21 },
    { type: 'weighted', start: 25, end: 26, open: { start: 25, end: 26 }, close: null },
  ]);
  expect(diagnostics).toMatchObject([
    { code: 'unclosed-bracket', start: 25, fix: { edits: [{ start: 26, end: 26 }] } },
  ]);
});

test('a derived text is closed where it is said to end, and what it leaves out is not rewritten', () => {
  const whole = sourceText('(a[b]) x');
  const [unclosed] = parseA1111(sliceSource(whole, 0, 2), { end: 6 }).diagnostics;
  expect(unclosed.fix!.edits).toEqual([{ start: 6, end: 6, insert: ')' }]);
  const [backslash, open] = parseA1111(sourceText('(\\'), { end: 6 }).diagnostics.toReversed();
  expect(backslash.fix!.edits).toEqual([{ start: 1, end: 1, insert: '\\' }]);
  expect(open.fix!.edits).toEqual([{ start: 1, end: 2, insert: ')' }]);
  const parted = sourceText('(a BREAK<x> b)');
  const source = joinSources([sliceSource(parted, 0, 8), sliceSource(parted, 11)]);
  const [inBrackets] = parseA1111(source).diagnostics;
  expect(inBrackets.code).toBe('break-in-brackets');
  expect(inBrackets.fix).toBeUndefined();
  expect(parseA1111(sourceText('')).fragments).toMatchObject([{ text: '', start: 0, end: 0 }]);
  expect(parseA1111(sliceSource(whole, 5, 6)).fragments).toMatchObject([{ text: ')', start: 5, end: 6 }]);
});

test('nodes hold their brackets and numbers', () => {
  expect(outline('a (b: 1.5 ) [c\\)] BREAK ()')).toEqual([
    'a ',
    ['round-number', 1.5, '(b: 1.5 )', '(', ': 1.5 )', '1.5', ['b']],
    ' ',
    ['square', down, '[c\\)]', '[', ']', null, ['c)']],
    'break',
    ['round', 1.1, '()', '(', ')', null, []],
  ]);
});

test('nodes of unclosed brackets reach to the end', () => {
  expect(outline('((a')).toEqual([
    ['round', 1.1, '((a', '(', null, null, [['round', 1.1, '(a', '(', null, null, ['a']]]],
  ]);
  expect(outline('(a [b')).toEqual([
    ['round', 1.1, '(a ', '(', null, null, ['a ']],
    ['square', down, '[b', '[', null, null, [['round', 1.1, 'b', null, null, null, ['b']]]],
  ]);
});

test('nodes of brackets that cross come in pieces', () => {
  expect(outline('(a[b:2)c]')).toEqual([
    ['round-number', 2, '(a', '(', null, '2', ['a']],
    ['square', down, '[b:2)c]', '[', ']', null, [['round-number', 2, 'b:2)', null, ':2)', '2', ['b']], 'c']],
  ]);
});

test.each<[string, string, string, string]>([
  ['a (b', 'unclosed-bracket', '(', 'a (b)'],
  ['a [b', 'unclosed-bracket', '[', 'a [b]'],
  ['(a\\', 'unclosed-bracket', '(', '(a)'],
  ['(a\\\\', 'unclosed-bracket', '(', '(a\\\\)'],
  ['a) b', 'unmatched-bracket', ')', 'a\\) b'],
  ['(a] b)', 'unmatched-bracket', ']', '(a\\] b)'],
  ['(a:1.2):1.3)', 'unmatched-bracket', ')', '(a:1.2):1.3\\)'],
  ['[x:0.8]', 'square-bracket-number', ':0.8', '(x:0.8)'],
  ['[(x:1.2) y: .8 ]', 'square-bracket-number', ': .8 ', '((x:1.2) y: .8 )'],
  ['(a:1,5)', 'not-a-number-weight', ':1,5', '(a:1.5)'],
  ['(a:1e3)', 'not-a-number-weight', ':1e3', '(a:1000)'],
  ['(a:)', 'not-a-number-weight', ':', '(a)'],
  ['(a: )', 'not-a-number-weight', ': ', '(a)'],
  ['(a:--1)', 'not-a-number-weight', ':--1', '(a:--1)'],
  ['(a:120%)', 'not-a-number-weight', ':120%', '(a:120%)'],
  ['(a BREAK b:1.3)', 'break-in-brackets', 'BREAK', '(a:1.3) BREAK (b:1.3)'],
  ['([a, BREAK\nb]: 2)', 'break-in-brackets', 'BREAK', '([a,]: 2) BREAK ([b]: 2)'],
  ['(\\\\BREAK)', 'break-in-brackets', 'BREAK', '(\\\\BREAK)'],
  ['a\\b', 'lone-backslash', '\\', 'a\\\\b'],
])('%j: %s at %j, mended as %j', (prompt, code, place, fixed) => {
  const diagnostics = parseA1111(prompt).diagnostics.filter((diagnostic) => diagnostic.code === code);
  expect(diagnostics).toHaveLength(1);
  const [diagnostic] = diagnostics;
  expect(prompt.slice(diagnostic.start, diagnostic.end)).toBe(place);
  expect(diagnostic.message).toMatch(/^(?:(?!\. ).)+\.$/);
  expect(applyFix(prompt, diagnostic)).toBe(fixed);
});

test.each([
  '',
  '(masterpiece:1.2), [bad anatomy], ((cat)), tifa \\(final fantasy\\)',
  'a cat [from:to:0.5] and [dog::5]',
  '[a|b] {c} <lora:x:0.8>',
  'a BREAK b, (c BREAK d:1)',
  '(style: watercolour), aspect 16:9, (at 10:30, two people)',
  'back\\\\slash',
])('says nothing about %j', (prompt) => {
  expect(parseA1111(prompt).diagnostics).toEqual([]);
});

// biome-ignore format: a list of words
const atoms = [
  '(', ')', '[', ']', ':', '\\', '(', ')', '[', ']', ':', '\\', 'BREAK', ' BREAK ', ':1.5)', ':0)', ':-1)', ': 1.1 )',
  ':1.2.3)', ':.)', '+', '-', '.', ',', '1', '٣', '１', '𝟙', '²', ' ', '\n', '\x1c', '\x85', '\ufeff', '\u3000',
  'a', 'word', 'é', '_', '猫', '😀', '\ud83d', '\udc00', '\u0301', '|', '%', 'e',
];
const prompts = fc.oneof(
  fc.array(fc.constantFrom(...atoms), { maxLength: 40 }).map((parts) => parts.join('')),
  fc
    .array(fc.constantFrom('(', '[', ')', ']', 'a', ':2)'), { maxLength: 400, size: 'max' })
    .map((parts) => parts.join('')),
  fc.string({ unit: 'binary' }),
);

test('fragments are made of what was typed, in order', () => {
  fc.assert(
    fc.property(prompts, (prompt) => {
      let position = 0;
      let gaps = '';
      for (const { kind, weight, text, starts, ends, start, end } of parseA1111(prompt).fragments) {
        expect([starts.length, ends.length]).toEqual([text.length, text.length]);
        expect(kind === 'break').toBe(text === 'BREAK' && weight === -1);
        expect(start).toBeGreaterThanOrEqual(position);
        expect(end).toBe(text === '' ? start : ends.at(-1));
        expect(start).toBe(text === '' ? start : starts[0]);
        for (let i = 0; i < text.length; i++) {
          expect(starts[i]).toBeGreaterThanOrEqual(position);
          gaps += prompt.slice(position, starts[i]);
          position = ends[i];
          expect([text[i], `\\${text[i]}`]).toContain(prompt.slice(starts[i], ends[i]));
        }
      }
      gaps += prompt.slice(position);
      expect(gaps).toMatch(/^(?:[()[\]\\\s\x1c-\x1f\x85]|:[\s\x1c-\x1f\x85]*[+-]?[.\p{Nd}]+[\s\x1c-\x1f\x85]*\))*$/u);
    }),
    { numRuns: 400 },
  );
});

/** Weight of every typed range, multiplied from the inside out. */
function nodeWeights(nodes: readonly Node[]): [string, number][] {
  return nodes.flatMap((node): [string, number][] => {
    if (node.type === 'text') return node.starts.map((start, i) => [`${start}-${node.ends[i]}`, 1]);
    if (node.type === 'break') return [0, 1, 2, 3, 4].map((i) => [`${node.start + i}-${node.start + i + 1}`, -1]);
    if (node.type === 'weighted') return nodeWeights(node.children).map(([range, w]) => [range, w * node.value]);
    throw new Error(node.type);
  });
}

function expectNodesInside(nodes: readonly Node[], start: number, end: number): void {
  let position = start;
  for (const node of nodes) {
    expect(node.start).toBeGreaterThanOrEqual(position);
    expect(node.end).toBeLessThanOrEqual(end);
    position = node.end;
    if (node.type !== 'weighted') continue;
    if (node.open) expect(node.open.start).toBe(node.start);
    if (node.close) expect(node.close.end).toBe(node.end);
    expectNodesInside(node.children, node.open?.end ?? node.start, node.close?.start ?? node.end);
  }
}

test('nodes weigh every character as the fragments do', () => {
  fc.assert(
    fc.property(prompts, (prompt) => {
      const { nodes, fragments } = parseA1111(prompt);
      // −0 and 0 are the same weight, and `(BREAK:0)` gives both.
      const unsigned = (weights: [string, number][]) => weights.map(([at, weight]) => [at, weight + 0]);
      const ofFragments = fragments.flatMap(({ starts, ends, weight }) =>
        starts.map((start, i): [string, number] => [`${start}-${ends[i]}`, weight]),
      );
      expect(unsigned(nodeWeights(nodes))).toEqual(unsigned(ofFragments));
      expectNodesInside(nodes, 0, prompt.length);
    }),
    { numRuns: 400 },
  );
});

test('diagnostics lie in the prompt, in order, and each mended bracket, backslash and BREAK is one less', () => {
  const mended = ['unclosed-bracket', 'unmatched-bracket', 'lone-backslash', 'break-in-brackets'];
  fc.assert(
    fc.property(prompts, (prompt) => {
      const { diagnostics } = parseA1111(prompt);
      let position = 0;
      for (const diagnostic of diagnostics) {
        expect(diagnostic.start).toBeGreaterThanOrEqual(position);
        expect(diagnostic.end).toBeGreaterThan(diagnostic.start);
        expect(diagnostic.end).toBeLessThanOrEqual(prompt.length);
        position = diagnostic.start;
        const { code, fix } = diagnostic;
        const count = (text: string) => parseA1111(text).diagnostics.filter((other) => other.code === code).length;
        if (fix && mended.includes(code)) expect(count(applyFix(prompt, diagnostic)), code).toBe(count(prompt) - 1);
      }
    }),
    { numRuns: 150 },
  );
});

test('text and weights come back from a prompt written with them', () => {
  const weight = fc.integer({ min: -300, max: 300 }).map((hundredths) => hundredths / 100);
  const text = fc.string({ unit: 'binary', minLength: 1 }).filter((value) => !value.includes('BREAK'));
  fc.assert(
    fc.property(fc.array(fc.tuple(text, fc.array(weight, { minLength: 1, maxLength: 4 }))), (parts) => {
      const prompt = parts.map(([value, weights]) =>
        weights.reduce((inner, w) => `(${inner}:${w})`, value.replace(/[\\()[\]]/g, '\\$&')),
      );
      const expected: [string, number][] = [];
      for (const [value, weights] of parts) {
        const product = weights.reduce((a, b) => a * b, 1);
        const last = expected.at(-1);
        if (last?.[1] === product) last[0] += value;
        else expected.push([value, product]);
      }
      expect(pairs(prompt.join(''))).toEqual(expected.length > 0 ? expected : [['', 1]]);
    }),
  );
});

test.each([
  ['(', 100_000],
  ['[', 100_000],
  [')', 100_000],
  ['\\', 100_001],
  [' ', 100_000],
  [': ', 50_000],
  ['a:b:c ', 16_000],
  ['BREAK ', 16_000],
  ['(BREAK ', 2_000],
  ['(a', 50_000],
  ['[a', 50_000],
  ['(a[b', 25_000],
  ['(a:1.001)((b', 8_000],
  ['(a) ', 25_000],
])('%j, %i times over, is read at once and its nodes can be walked', (part, times) => {
  const prompt = part.repeat(times);
  const { nodes } = parseA1111(prompt);
  expect(nodeWeights(nodes).length).toBeLessThanOrEqual(prompt.length);
});

// biome-ignore format: one prompt, one line
test.each<[string, [string, number][]]>([
  ['[a]', [['a', 0.9]]],
  ['[[a]] b', [['a', 0.9 * 0.9], [' b', 1]]],
  ['(a[b]:2)', [['a', 2], ['b', 0.9 * 2]]],
  ['[[a', [['a', 0.9 * 0.9]]],
  ['(a) (b:1.5)', [['a', 1.1], [' ', 1], ['b', 1.5]]],
])("the lecture's square brackets: %s", (prompt, expected) => {
  const { fragments } = parseA1111(prompt, { squareFactor: lectureSquareFactor });
  expect(fragments.map(({ text, weight }) => [text, weight])).toEqual(expected);
});

test('what square brackets weigh is in the tree and in the messages', () => {
  const { nodes } = parseA1111('[a]', { squareFactor: lectureSquareFactor });
  expect(nodes).toMatchObject([{ type: 'weighted', form: 'square', value: 0.9 }]);
  const messages = (squareFactor?: number) =>
    parseA1111('[a:0.8] [b', { squareFactor }).diagnostics.map(({ message }) => message);
  expect(messages()).toEqual([expect.stringContaining('weighs 0.909:'), expect.stringContaining('at 0.909:')]);
  expect(messages(lectureSquareFactor)).toEqual([
    expect.stringContaining('weighs 0.9:'),
    expect.stringContaining('at 0.9:'),
  ]);
});

/** Brackets that close, up to 400 deep, of a few weights, with a letter in each: as the original multiplies, run by run. */
const deepBrackets = fc.array(fc.constantFrom('(', '(', '(', '[', ')', ')', ']', ':1.3)', ':-1)', ':0)', ':-0)'), {
  maxLength: 400,
  size: 'max',
});

test('brackets multiply what is in them in the order in which they close, to the last bit', () => {
  fc.assert(
    fc.property(deepBrackets, (marks) => {
      const runs: number[] = [];
      const open: Record<'round' | 'square', number[]> = { round: [], square: [] };
      let prompt = '';
      const add = (mark: string) => {
        prompt += `${mark}x`;
        if (mark === '(' || mark === '[') open[mark === '(' ? 'round' : 'square'].push(runs.length);
        else {
          const first = (mark === ']' ? open.square : open.round).pop()!;
          const value = mark === ')' ? 1.1 : mark === ']' ? 1 / 1.1 : Number(mark.slice(1, -1));
          for (let run = first; run < runs.length; run++) runs[run] *= value;
        }
        runs.push(1);
      };
      for (const mark of marks) if (/[([]/.test(mark) || open[mark === ']' ? 'square' : 'round'].length > 0) add(mark);
      while (open.round.length > 0) add(')');
      while (open.square.length > 0) add(']');
      const weights = parseA1111(prompt).fragments.flatMap(({ text, weight }) => Array(text.length).fill(weight));
      // Zeros of either sign are one fragment.
      const unsigned = (weight: number) => (weight === 0 ? 0 : weight);
      if (runs.length > 0) expect(weights.map(unsigned)).toEqual(runs.map(unsigned));
    }),
  );
});
