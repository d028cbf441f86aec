import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import type { Node, Range } from '../ast.ts';
import { applyEdits } from '../edits.ts';
import recorded from '../recorded/comfy_parse.json';
import { parseComfy } from './comfyPrompt.ts';

function pairs(prompt: string): [string, number][] {
  return parseComfy(prompt).fragments.map(({ text, weight }) => [text, weight]);
}

test.each(recorded)('recorded: $prompt', ({ prompt, token_weights }) => {
  expect(pairs(prompt)).toEqual(
    token_weights.map(([text, weight]) => [text, weight === 'inf' ? Number.POSITIVE_INFINITY : weight]),
  );
});

// biome-ignore format: one prompt, one line
test.each<[string, [string, number][]]>([
  ['', []],
  ['()', []],
  // A number stands for itself, brackets multiply what is around them.
  ['(a (b:2) c:3)', [['a ', 3], ['b', 2], [' c', 3]]],
  ['((a:1.2), [b:0.8], c)', [['a', 1.2], [', [b:0.8], c', 1.1]]],
  ['(a (b) c:1.2)', [['a ', 1.2], ['b', 1.32], [' c', 1.2]]],
  ['((foo):1.1)', [['foo', 1.2100000000000002]]],
  ['((a:1.2):3)', [['a', 1.2]]],
  ['(a:1:2)', [['a:1', 2]]],
  ['(a:1.1)(b:1.1)', [['a', 1.1], ['b', 1.1]]],
  // The last colon counts, if something is before it.
  ['(:1.5)', [[':1.5', 1.1]]],
  ['( :1.5)', [[' ', 1.5]]],
  ['(a:b (c))', [['a:b ', 1.1], ['c', 1.2100000000000002]]],
  ['(a (b:2))', [['a ', 1.1], ['b', 2]]],
  // Whatever Python's float() takes is a number.
  ['(a:1e3)', [['a', 1000]]],
  ['(a:-inf)', [['a', Number.NEGATIVE_INFINITY]]],
  ['(a: nan )', [['a', Number.NaN]]],
  ['(a:1_0)', [['a', 10]]],
  ['(a:１.５)', [['a', 1.5]]],
  ['(a:\n1.5\xa0)', [['a', 1.5]]],
  ['(a:1.1.1)', [['a:1.1.1', 1.1]]],
  ['(a:²)', [['a:²', 1.1]]],
  // Brackets that do not pair.
  ['((a)', [['(a', 1.1]]],
  ['((a) b', [['((a) b', 1]]],
  ['(a))(b)(c)', [['a', 1.1], [')(b)(c)', 1]]],
  [') (a) ((b) (c)', [[') (a) (', 1], ['b', 1.1], [' ', 1], ['c', 1.1]]],
  ['((((a))', [['((a', 1.2100000000000002]]],
  // Two escapes, whatever is before them.
  ['\\(a\\)', [['(a)', 1]]],
  ['(\\\\)', [['(\\)', 1]]],
  ['(a\\):1.5)', [['a)', 1.5]]],
  ['\\[a\\]\\\\', [['\\[a\\]\\\\', 1]]],
  ['(a:1.5\\)', [['(a:1.5)', 1]]],
  ['\0\x01\0\x02\0', [[')(\0', 1]]],
  // Nothing else means anything.
  ['[a] BREAK b AND c', [['[a] BREAK b AND c', 1]]],
  ['(<lora:x:1>)', [['<lora:x:1>', 1.1]]],
])('reads %j as the original does', (prompt, expected) => {
  expect(pairs(prompt)).toEqual(expected);
});

test('every unit knows where it was typed', () => {
  expect(parseComfy('(a\\)) (\\(b:2)').fragments).toEqual([
    { kind: 'text', weight: 1.1, text: 'a)', starts: [1, 2], ends: [2, 4], start: 1, end: 4 },
    { kind: 'text', weight: 1, text: ' ', starts: [5], ends: [6], start: 5, end: 6 },
    { kind: 'text', weight: 2, text: '(b', starts: [7, 9], ends: [9, 10], start: 7, end: 10 },
  ]);
});

/** Nodes as what they are, with the marks they hold. */
function outline(prompt: string): unknown[] {
  const slice = (range: Range | null) => range && prompt.slice(range.start, range.end);
  const walk = (nodes: readonly Node[]): unknown[] =>
    nodes.map((node) => {
      if (node.type === 'text') return node.text;
      if (node.type === 'network') return [node.kind, node.name, slice(node)];
      if (node.type !== 'weighted') throw new Error(node.type);
      const { effect, value, open, close, number, children } = node;
      return [effect, value, slice(open), slice(close), slice(number), walk(children)];
    });
  return walk(parseComfy(prompt).nodes);
}

test('nodes hold their brackets and numbers', () => {
  expect(outline('a (b (c) : 1.5 ) (d:x)')).toEqual([
    'a ',
    ['replace', 1.5, '(', ': 1.5 )', '1.5', ['b ', ['multiply', 1.1, '(', ')', null, ['c']], ' ']],
    ' ',
    ['multiply', 1.1, '(', ')', null, ['d:x']],
  ]);
});

test('nodes name embeddings between spaces', () => {
  expect(outline('embedding:foo, a embedding:b.pt (embedding:c:1.2) xembedding:d\tembedding:e\nembedding:, ')).toEqual([
    ['embedding', 'foo', 'embedding:foo'],
    ', a ',
    ['embedding', 'b.pt', 'embedding:b.pt'],
    ' ',
    ['replace', 1.2, '(', ':1.2)', '1.2', [['embedding', 'c', 'embedding:c']]],
    ' xembedding:d\tembedding:e\nembedding:, ',
  ]);
});

test.each<[string, string, string, string | null]>([
  ['[x], y', 'square-brackets', '[x]', '(x:0.9), y'],
  ['a [b|c] d', 'square-brackets', '[b|c]', null],
  ['(x [y])', 'square-brackets', '[y]', null],
  ['a BREAK b', 'a1111-word', 'BREAK', null],
  ['a AND b', 'a1111-word', 'AND', null],
  ['<lora:x:1>', 'a1111-tag', '<lora:x:1>', null],
  ['a) (b)', 'unmatched-bracket', ')', 'a\\) (b)'],
  ['a) b', 'unmatched-bracket', ')', 'a\\) b'],
  ['a (b', 'unclosed-bracket', '(', 'a (b)'],
  ['(b\\', 'unclosed-bracket', '(', '\\(b\\'],
  ['(a:1,5)', 'not-a-number-weight', ':1,5', '(a:1.5)'],
  ['(a:1.1.1)', 'not-a-number-weight', ':1.1.1', '(a:1.1)'],
  ['(a:)', 'not-a-number-weight', ':', '(a)'],
  ['(a:- 1)', 'not-a-number-weight', ':- 1', null],
  ['(a: inf )', 'not-finite-weight', 'inf', null],
])('%j: %s at %j, mended as %j', (prompt, code, place, fixed) => {
  const found = parseComfy(prompt).diagnostics.filter((diagnostic) => diagnostic.code === code);
  expect(found).toHaveLength(1);
  const [{ start, end, message, fix }] = found;
  expect(prompt.slice(start, end)).toBe(place);
  expect(message).toMatch(/^(?:(?!\. ).)+\.$/);
  if (fixed) expect(fix && applyEdits(prompt, fix.edits)).toBe(fixed);
  if (fix) expect(parseComfy(applyEdits(prompt, fix.edits)).diagnostics).toEqual([]);
});

test('a bracket too many says that it takes another with it', () => {
  const messages = (prompt: string) =>
    parseComfy(prompt).diagnostics.map(({ message }) => message.includes('next “(”'));
  expect(messages('a) (b')).toEqual([true]);
  expect(messages('a) b')).toEqual([false]);
  expect(messages('a)) (b')).toEqual([false, true]);
  expect(messages('a) (b) (c)')).toEqual([true]);
});

test('nesting that stops the original is text from there on', () => {
  const { fragments, diagnostics } = parseComfy(`${'('.repeat(2000)}a${')'.repeat(2000)}`);
  expect(fragments.map(({ text }) => text)).toEqual([`${'('.repeat(1100)}a${')'.repeat(1100)}`]);
  expect(diagnostics.map(({ code }) => code)).toEqual(['nested-too-deep']);
});

test.each([
  '',
  '(masterpiece:1.2), (best quality), ((cat:1.3) and dog:0.8), tifa \\(final fantasy\\)',
  'embedding:easynegative, at 10:30 (ratio 16:9)',
  'a\\b',
])('says nothing about %j', (prompt) => {
  expect(parseComfy(prompt).diagnostics).toEqual([]);
});

// biome-ignore format: a list of words
const atoms = [
  '(', ')', ':', '\\', '(', ')', ':', '\\(', '\\)', ':1.5)', ':0)', ': -1 )', ':inf)', ':1e3)', ':1,5)', '\0', '\x01', '\x02',
  'a', 'word', ' ', '\n', '\x1c', '\x85', '\xa0', 'é', '猫', '😀', '\ud83d', '\udc00', '[', ']', '1', '.', 'embedding:', ',',
];
const prompts = fc.oneof(
  fc.array(fc.constantFrom(...atoms), { maxLength: 40 }).map((parts) => parts.join('')),
  fc.array(fc.constantFrom('(', ')', 'a', ':2)', '(('), { maxLength: 400, size: 'max' }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary' }),
);

test('fragments are made of what was typed, in order, and only marks are left out', () => {
  fc.assert(
    fc.property(prompts, (prompt) => {
      let position = 0;
      let gaps = '';
      for (const { text, starts, ends, start, end } of parseComfy(prompt).fragments) {
        expect([starts.length, ends.length]).toEqual([text.length, text.length]);
        expect(text).not.toBe('');
        expect([start, end]).toEqual([starts[0], ends.at(-1)]);
        for (let i = 0; i < text.length; i++) {
          gaps += prompt.slice(position, starts[i]);
          expect(starts[i]).toBeGreaterThanOrEqual(position);
          position = ends[i];
          const typed = prompt.slice(starts[i], ends[i]);
          expect([text[i], `\\${text[i]}`, text[i] === ')' ? '\0\x01' : '\0\x02']).toContain(typed);
        }
      }
      gaps += prompt.slice(position);
      expect(gaps).toMatch(/^(?:[()]|:[^:()]+\))*$/);
    }),
    { numRuns: 1000 },
  );
});

/** Weight of every typed unit, as ComfyUI reckons. */
function nodeWeights(nodes: readonly Node[], around = 1): [number, number][] {
  return nodes.flatMap((node): [number, number][] => {
    if (node.type === 'text') return Array.from(node.starts, (start) => [start, around]);
    if (node.type === 'network')
      return Array.from({ length: node.end - node.start }, (_, i) => [node.start + i, around]);
    if (node.type !== 'weighted') throw new Error(node.type);
    return nodeWeights(node.children, node.effect === 'replace' ? node.value : around * node.value);
  });
}

function expectNodesInside(nodes: readonly Node[], start: number, end: number): void {
  let position = start;
  for (const node of nodes) {
    expect(node.start).toBeGreaterThanOrEqual(position);
    expect(node.end).toBeLessThanOrEqual(end);
    position = node.end;
    if (node.type === 'weighted')
      expectNodesInside(node.children, node.open?.end ?? node.start, node.close?.start ?? node.end);
  }
}

test('nodes weigh every character as the fragments do', () => {
  fc.assert(
    fc.property(prompts, (prompt) => {
      const { nodes, fragments } = parseComfy(prompt);
      const weights = new Map(
        fragments.flatMap(({ starts, weight }) => starts.map((start) => [start, weight] as const)),
      );
      const ofNodes = nodeWeights(nodes).filter(([start]) => weights.has(start));
      expect(ofNodes).toEqual([...weights]);
      expectNodesInside(nodes, 0, prompt.length);
    }),
    { numRuns: 1000 },
  );
});

test('diagnostics lie in the prompt, in order, and mended brackets are fewer', () => {
  const mended = ['unclosed-bracket', 'unmatched-bracket'];
  const count = (prompt: string) => parseComfy(prompt).diagnostics.filter(({ code }) => mended.includes(code)).length;
  fc.assert(
    fc.property(prompts, (prompt) => {
      let position = 0;
      for (const { code, start, end, fix } of parseComfy(prompt).diagnostics) {
        expect(start).toBeGreaterThanOrEqual(position);
        expect(end).toBeGreaterThan(start);
        expect(end).toBeLessThanOrEqual(prompt.length);
        position = start;
        if (fix && code === 'unclosed-bracket')
          expect(count(applyEdits(prompt, fix.edits))).toBeLessThan(count(prompt));
      }
    }),
    { numRuns: 300 },
  );
});

test('text and weights come back from a prompt written with them', () => {
  const text = fc.string({ unit: 'binary', minLength: 1 }).filter((value) => !/[\0\\]/.test(value));
  const weight = fc.double({ noNaN: true });
  fc.assert(
    fc.property(fc.array(fc.tuple(text, weight)), (parts) => {
      const typed = ([value, w]: [string, number]) => {
        const number = Number.isFinite(w) ? String(w) : w > 0 ? 'inf' : '-inf';
        return `(${value.replace(/[()]/g, '\\$&')}:${Object.is(w, -0) ? '-0' : number})`;
      };
      expect(pairs(parts.map(typed).join(''))).toEqual(parts);
    }),
  );
});

test.each([
  ['(', 100_000],
  [')', 100_000],
  ['(a', 25_000],
  ['(a:b ', 20_000],
  ['((a:1.2) ', 8_000],
  [':', 100_000],
  ['\\(', 50_000],
  ['[', 100_000],
  ['\0\x01', 50_000],
  ['embedding:a ', 8_000],
  ['(a:1            ', 6_000],
])('%j, %i times over, is read at once and its nodes can be walked', (part, times) => {
  for (const prompt of [part.repeat(times), part.repeat(times) + ')'.repeat(times)]) {
    const { nodes } = parseComfy(prompt);
    expect(nodeWeights(nodes).length).toBeLessThanOrEqual(prompt.length);
  }
});
