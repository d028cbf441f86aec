import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import type { Diagnostic, Fragment, Node, Range } from '../ast.ts';
import { applyEdits } from '../edits.ts';
import recorded from '../recorded/compel_parse.json';
import {
  type CompelBlend,
  type CompelItem,
  type CompelPrompt,
  type ParsedCompel,
  parseCompel,
} from './compelPrompt.ts';

type Pair = [text: string, weight: number];

/** A prompt's items as recorded: fragments as pairs, swaps as objects. */
function itemsOf(items: readonly CompelItem[]): unknown[] {
  return items.map((item) => {
    if (item.kind !== 'swap') return [item.text, item.weight];
    const { original, edited, options } = item;
    return { type: 'swap', original: itemsOf(original), edited: itemsOf(edited), options };
  });
}

function contentOf(content: CompelPrompt | CompelBlend): unknown {
  if (content.kind === 'prompt') return { type: 'prompt', fragments: itemsOf(content.items) };
  const { prompts, weights, normalise } = content;
  return { type: 'blend', prompts: prompts.map(contentOf), weights, normalize: normalise };
}

/** The recorded form of a prompt. The original returns nothing at all for some prompts, for which this has an empty prompt. */
function conjunctionOf({ parts, loras, diagnostics }: ParsedCompel): unknown {
  const kept = diagnostics.some(({ code }) => code === 'nothing-to-encode') ? [] : parts;
  return {
    type: 'conjunction',
    prompts: kept.map(({ content }) => contentOf(content)),
    weights: kept.map(({ weight }) => weight),
    loras: loras.map(({ name, weight }) => ({ model: name, weight })),
  };
}

function pairs(prompt: string): Pair[] {
  return parseCompel(prompt).fragments.map(({ text, weight }) => [text, weight]);
}

function errors(prompt: string): string[] {
  return parseCompel(prompt).diagnostics.flatMap(({ severity, code }) => (severity === 'error' ? [code] : []));
}

test.each(recorded as { prompt: string; result?: unknown; error?: string }[])('recorded: $prompt', (row) => {
  const parsed = parseCompel(row.prompt);
  if (row.result) expect(conjunctionOf(parsed)).toEqual(row.result);
  const raises = ['text-after-blend', 'weight-count'];
  expect(parsed.diagnostics.filter(({ code }) => raises.includes(code))).toHaveLength(row.error ? 1 : 0);
});

// biome-ignore format: one prompt, one line
test.each<[string, Pair[]]>([
  // A word is weighed only where nothing of the syntax touches it.
  ['U.S.A.+', [['U.S.A.+', 1]]],
  ['a+? b', [['a+? b', 1]]],
  ['a+. b', [['a', 1.1], ['. b', 1]]],
  ['a--b', [['a', 0.81], ['b', 1]]],
  ['++a', [['++a', 1]]],
  ['a+-', [['a', 1.1], ['-', 1]]],
  ['red(car)+', [['red(car)+', 1]]],
  ['(red)(car)+', [['red', 1], ['car', 1.1]]],
  ['(a)+1', [['a', 1.1], ['1', 1]]],
  ['(a) 1.2', [['a 1.2', 1]]],
  ['(a)1.2.3', [['a', 1.2], ['.3', 1]]],
  ['(a)-1.2', [['a', 0.9], ['1.2', 1]]],
  ['a.attend(1.2)', [['a', 1.2]]],
  ['a .attend ( -- ) b', [['a', 0.81], ['b', 1]]],
  ['a.attend(-1)', [['a.attend(-1)', 1]]],
  // Whitespace of other scripts is a character; form feeds go with whitespace after them.
  ['a\xa0b+', [['a\xa0b', 1.1]]],
  ['a\f\u3000 b', [['a b', 1]]],
  ['a\x1cb', [['a\x1cb', 1]]],
  // Reals have digits of any script, integers of one.
  ['(a)٣.٥', [['a', 3.5]]],
  ['(a)٣', [['a ٣', 1]]],
  ['(a)1', [['a', 1]]],
  // Quotes.
  ['"a\\"b"+', [['a"b', 1.1]]],
  ['"a\\nb" "c\\\\td"', [['a b c\\ d', 1]]],
  ['"a\nb"', [['"a b"', 1]]],
  ['"" a', [[' a', 1]]],
  ['"\\""+ b', [['"', 1.1], ['b', 1]]],
  ['"()" a', [['a', 1]]],
  ['"a=b" c', [['"a=b" c', 1]]],
  // A fragment is unescaped when it is read, when it is flattened, and whenever a neighbour joins it.
  ['\\\\(', [['(', 1]]],
  ['\\\\\\(', [['\\(', 1]]],
  ['\\\\\\\\\\( b c', [['\\( b c', 1]]],
  ['\\\\\\\\( a b', [['( a b', 1]]],
  ['b a \\\\\\\\(', [['b a \\(', 1]]],
  ['\\\\"\\, \\+', [['"\\, \\+', 1]]],
  // Weights equal to the last bit are one fragment, however they are written.
  ['a++++ (b)1.4641000000000004', [['a b', 1.4641000000000004]]],
  ['(a+)+ b++', [['a b', 1.2100000000000002]]],
  ['(a)0.5 (b)0.50', [['a b', 0.5]]],
  ['((a)2)0.5 b', [['a b', 1]]],
  // Space after commas.
  ['a,b', [['a, b', 1]]],
  ['a,,b,\xa0c', [['a, ,b,\xa0c', 1]]],
  ['(a,b.c)', [['a , b . c', 1]]],
])('reads %j as the original does', (prompt, expected) => {
  expect(pairs(prompt)).toEqual(expected);
});

test.each<[number, number, number]>([
  [4, 1.4641000000000004, 0.6561],
  [25, 10.834705943388395, 0.0717897987691853],
  [33, 23.22515441988787, 0.030903154382632636],
  [57, 228.76156239024755, 0.002465034704958071],
])('%i signs weigh what they do in C', (count, plus, minus) => {
  expect(pairs(`a${'+'.repeat(count)}`)).toEqual([['a', plus]]);
  expect(pairs(`a${'-'.repeat(count)}`)).toEqual([['a', minus]]);
});

test('signs without end', () => {
  expect(pairs(`a${'+'.repeat(7440)}`)).toEqual([['a', 9.153297482852431e307]]);
  expect(pairs(`a${'-'.repeat(7000)}`)).toEqual([['a', 4.985e-321]]);
  expect(pairs(`a${'-'.repeat(8000)}`)).toEqual([['a', 0]]);
  expect(errors(`a${'+'.repeat(8000)}`)).toEqual(['not-finite-weight']);
});

// biome-ignore format: one prompt, one line
test.each<[string, Pair[][], number[]]>([
  ['("a", b, (c d)).and()', [[['a', 1]], [['b', 1]], [['c d', 1]]], [1, 1, 1]],
  ['( "a" , "b" ) .add ( 1 , -.5 )', [[['a', 1]], [['b', 1]]], [1, -0.5]],
  ['("a=b+", "(c").and()', [[['a=b+', 1]], [['(c', 1]]], [1, 1]],
  ['("a", (), "").and(1, 2, 3)', [[['a', 1]], [['', 1]]], [1, 3]],
  ['("a", "b").and(inf, 1) and more', [[['a', 1]], [['b', 1]]], [Number.POSITIVE_INFINITY, 1]],
  ['"x" ("a", "b").and()', [[['x a , b .and()', 1]]], [1]],
  ['("a" "b").and()', [[['a b .and()', 1]]], [1]],
  ['(a b, c).and()', [[['a b , c .and()', 1]]], [1]],
])('parts of %j', (prompt, expected, weights) => {
  const { parts } = parseCompel(prompt);
  expect(parts.map(({ content }) => content.kind === 'prompt' && itemsOf(content.items))).toEqual(expected);
  expect(parts.map(({ weight }) => weight)).toEqual(weights);
});

// biome-ignore format: one prompt, one line
test.each<[string, Pair[][], number[], boolean]>([
  ['("a", "b").blend()', [[['a', 1]], [['b', 1]]], [1, 1], true],
  ['("a+", b).blend(2, -1.5, no_normalize)', [[['a', 1.1]], [['b', 1]]], [2, -1.5], false],
  ['("a", b).blend(no_normalize=0)', [[['a', 1]], [['b', 1]]], [1, 1], false],
  ['withLora(x) ("a").blend(.5) useLora(y,2)', [[['a', 1]]], [0.5], true],
])('the blend of %j', (prompt, expected, weights, normalise) => {
  const [{ content }, ...rest] = parseCompel(prompt).parts;
  expect(rest).toEqual([]);
  expect(content).toMatchObject({ kind: 'blend', weights, normalise });
  expect(content.kind === 'blend' && content.prompts.map(({ items }) => itemsOf(items))).toEqual(expected);
});

test('swaps keep both sides and their options, and what is encoded is the original', () => {
  const { parts, fragments } = parseCompel(
    'a (fat cat)+.swap(x).swap((dog)1.2, shape_freedom=0.5, t_end=0.75, foo, 2)',
  );
  // Weights come before .swap(), which takes no weighted target.
  expect(parts[0].content).toMatchObject({ kind: 'prompt' });
  expect(fragments.map(({ text }) => text)).toEqual([
    'a',
    'fat cat',
    '.swap(x).swap((dog)1.2, shape_freedom=0.5, t_end=0.75, foo, 2)',
  ]);

  const parsed = parseCompel('a ((fat cat).swap((dog)1.2 , shape_freedom=0.5, t_end=0.75, foo, 2) b)2');
  const [{ content }] = parsed.parts;
  expect(content.kind === 'prompt' && itemsOf(content.items)).toEqual([
    ['a', 1],
    {
      type: 'swap',
      original: [['fat cat', 2]],
      edited: [['dog', 2.4]],
      options: {
        s_start: 0,
        s_end: expect.closeTo(0.2062994740159002, 12),
        t_start: 0.2,
        t_end: 0.75,
        foo: '',
        '2.0': '',
      },
    },
    ['b', 2],
  ]);
  expect(parsed.fragments.map(({ text, weight }) => [text, weight])).toEqual([
    ['a', 1],
    ['fat cat', 2],
    ['b', 2],
  ]);
});

test.each<[string, CompelItem['kind'][], Pair[], Pair[]]>([
  ['(().swap(b))+', ['swap'], [['', 1.1]], [['b', 1.1]]],
  ['((()+).swap())+', ['swap'], [['', 1]], [['', 1.1]]],
  ['(a withLora(z)).swap(withLora(q))', ['swap'], [['a', 1]], [['', 1]]],
])('the empty sides of %j', (prompt, kinds, original, edited) => {
  const [{ content }] = parseCompel(prompt).parts;
  const items = content.kind === 'prompt' ? content.items : [];
  expect(items.map(({ kind }) => kind)).toEqual(kinds);
  expect(items[0].kind === 'swap' && [itemsOf(items[0].original), itemsOf(items[0].edited)]).toEqual([
    original,
    edited,
  ]);
});

test('LoRAs are collected in order', () => {
  const { loras, fragments } = parseCompel('withLora(a-1) useLora(b, .5) x (y withLora(c, 2) z)+ w');
  expect(loras.map(({ name, weight }) => [name, weight])).toEqual([
    ['a-1', 1],
    ['b', 0.5],
    ['c', 2],
  ]);
  expect(fragments.map(({ text }) => text)).toEqual(['x', 'y z', 'w']);
});

test('every unit knows where it was typed', () => {
  const fragment = (prompt: string, i = 0) => {
    const { text, starts, ends, start, end } = parseCompel(prompt).fragments[i];
    return { text, starts, ends, start, end };
  };
  expect(fragment('a,b')).toEqual({ text: 'a, b', starts: [0, 1, 2, 2], ends: [1, 2, 2, 3], start: 0, end: 3 });
  expect(fragment('(a)  "b\\"" c+')).toEqual({
    text: 'a b"',
    starts: [1, 2, 6, 7],
    ends: [2, 6, 7, 9],
    start: 1,
    end: 9,
  });
  expect(fragment('x+ \\\\\\\\(', 1)).toEqual({ text: '\\\\(', starts: [3, 4, 5], ends: [4, 5, 8], start: 3, end: 8 });
  expect(fragment('x+ ""', 1)).toEqual({ text: '', starts: [], ends: [], start: 4, end: 4 });
});

/** Nodes as what they are, with the marks they hold. */
function outline(prompt: string): unknown[] {
  const slice = (range: Range | null) => range && prompt.slice(range.start, range.end);
  const walk = (nodes: readonly Node[]): unknown[] =>
    nodes.map((node) => {
      if (node.type === 'text') return node.text;
      if (node.type === 'weighted')
        return [node.form, node.value, slice(node.open), slice(node.close), slice(node.number), walk(node.children)];
      if (node.type === 'composite')
        return [
          node.operator,
          slice(node),
          ...node.parts.map(({ children, weight, range }) => [slice(range), weight, walk(children)]),
        ];
      if (node.type === 'network') return [node.kind, node.name, ...node.args];
      throw new Error(node.type);
    });
  return walk(parseCompel(prompt).nodes);
}

test('nodes hold their marks and numbers', () => {
  expect(outline('cat++ (a "b"0.5)- "c".attend( +) d .attend(2) withLora(x, 0.8)')).toEqual([
    ['suffix-signs', 1.2100000000000002, null, null, '++', ['cat']],
    ['suffix-signs', 0.9, '(', ')-', '-', ['a', ['suffix-number', 0.5, '"', '"0.5', '0.5', ['b']]]],
    ['attend', 1.1, '"', '".attend( +)', '+', ['c']],
    ['attend', 2, null, ' .attend(2)', '2', ['d']],
    ['lora', 'x', '0.8'],
  ]);
  expect(outline('a cat.swap(big dog)')).toEqual([
    'a',
    ['swap', 'cat.swap(big dog)', ['cat', 1, ['cat']], ['big dog', 1, ['big', 'dog']]],
  ]);
  expect(outline('withLora(l) ("a", b).blend(1, 0.5)')).toEqual([
    ['lora', 'l'],
    ['blend', '("a", b).blend(1, 0.5)', ['"a"', 1, ['a']], ['b', 0.5, ['b']]],
  ]);
});

// biome-ignore format: one prompt, one line
test.each<[string, string, string, string | null]>([
  ['(cat:1.2), x', 'a1111-weight', ':1.2', '(cat)1.2, x'],
  ['(a (cat: .8 ))+', 'a1111-weight', ': .8 ', '(a (cat).8)+'],
  ['(cat:-1)', 'a1111-weight', ':-1', null],
  ['(cat:1.2)+', 'a1111-weight', ':1.2', null],
  ['U.S.A.+', 'weight-is-text', '+', '(U.S.A.)+'],
  ['at f/1.8++, x', 'weight-is-text', '++', 'at (f/1.8)++, x'],
  ['a=b-', 'weight-is-text', '-', null],
  ['++cat, x', 'leading-signs', '++', 'cat++, x'],
  ['--a.b', 'leading-signs', '--', null],
  ['a+!', 'signs-inside-word', '+', 'a+ !'],
  ['(a) 1.2, b', 'space-before-weight', '1.2,', '(a)1.2, b'],
  ['"a b" ++', 'space-before-weight', '++', '"a b"++'],
  ['(a)-0.5', 'sign-before-number', '-0.5', '(a)0.5'],
  ['cat+5', 'none', '', null],
  ['cat++5', 'sign-before-number', '++5', null],
  ['a+-', 'mixed-signs', '-', null],
  ['red(car)+', 'touching-text', '(car)', 'red (car)+'],
  ['x (a=b)+', 'not-in-brackets', '=', null],
  ['(a -)+', 'not-in-brackets', '-', null],
  ['a (b', 'unclosed-bracket', '(', 'a \\(b'],
  ['a :) b', 'unmatched-bracket', ')', 'a :\\) b'],
  ['say "a', 'unclosed-quote', '"', 'say \\"a'],
  ['(a b, c).blend(1,1)', 'operator-is-text', '.blend', null],
  ['cat.swap(a, b', 'operator-is-text', '.swap', null],
  ['a BREAK b', 'a1111-word', 'BREAK', null],
  ['a AND b', 'a1111-word', 'AND', null],
  ['a [dog], b', 'square-brackets', '[dog]', 'a (dog)-, b'],
  ['[a:b:0.5]', 'square-brackets', '[a:b:0.5]', null],
  ['<lora:x:0.8>', 'a1111-tag', '<lora:x:0.8>', null],
  ['cat.swap(dog)', 'swap-original-only', '.swap', null],
  ['x withLora(foo)', 'lora-not-applied', 'withLora(foo)', null],
  ['("a", "b").and() c', 'text-after-and', ' c', '("a", "b").and()'],
  ['("a", "b").blend(1,1) c', 'text-after-blend', 'c', '("a", "b").blend(1,1) '],
  ['("a", "b").and(1)', 'weight-count', '.and(1)', null],
  ['("a", "b").blend(1,2,3)', 'weight-count', '.blend(1,2,3)', null],
  ['("a").blend(no_normalize, 1)', 'not-a-number-weight', 'no_normalize', null],
  ['("a", ()).blend()', 'empty-blend-part', '()', null],
  ['("a", "(b.swap(c))+").blend()', 'swap-in-blend', 'b.swap(c)', null],
  ['(a.swap(b) c).swap(d)', 'nested-swap', 'a.swap(b)', null],
  ['a.swap(b, shape_freedom=x)', 'swap-option', 'shape_freedom=x', null],
  ['a\vb', 'control-character', '\v', 'a b'],
  ['()', 'nothing-to-encode', '()', null],
  ['""- a', 'empty-weighted', '""', null],
])('%j: %s at %j, mended as %j', (prompt, code, place, fixed) => {
  const found = parseCompel(prompt).diagnostics.filter((diagnostic) => diagnostic.code === code);
  expect(found).toHaveLength(code === 'none' ? 0 : 1);
  for (const { start, end, message, fix } of found) {
    expect(prompt.slice(start, end)).toBe(place);
    expect(message).toMatch(/^(?:(?!\. ).)+\.$/);
    expect(fix ? applyEdits(prompt, fix.edits) : null).toBe(fixed);
    if (fix) expect(parseCompel(applyEdits(prompt, fix.edits)).diagnostics.map((other) => other.code)).not.toContain(code);
  }
});

test.each([
  '',
  'a portrait of (an old (fisherman)1.3 in a boat)0.8, cinematic lighting++, 8k',
  'tifa \\(final fantasy\\), "quoted (text)+"-, well-known+, 16:9, C++ code, a - b',
  '("a man eating an apple", "high quality, 8K UHD").and(1, 0.5)',
  '(worst quality, low quality)1.4, bad-hands-5, e.g. f/1.8',
])('says nothing about %j', (prompt) => {
  expect(parseCompel(prompt).diagnostics).toEqual([]);
});

// biome-ignore format: a list of words
const atoms = [
  '(', ')', '"', '+', '-', ',', '.', '=', '\\', '(', ')', '"', '++', '--', ' ', ' ', ' ', '\n', '\t', '\v', '\f', '\xa0',
  '\x1c', '\x85', '\ufeff', 'a', 'word', 'é', '猫', '😀', '\ud83d', '\udc00', '1', '1.2', '0.5', '٣.٥', ':', '[', ']',
  '.swap(', '.blend(', '.and(', '.attend(', 'withLora(', 'useLora(x, 2)', '("a", "b")', '.and()', '.blend(1, 1)',
  '(a)', '"a b"', 'shape_freedom=', 'no_normalize', '\\n', 'BREAK', '\\(', '\\"',
];
const prompts = fc.oneof(
  fc.array(fc.constantFrom(...atoms), { maxLength: 40 }).map((parts) => parts.join('')),
  fc
    .array(fc.constantFrom('(', '"', ')', ')+', 'a ', '.swap(', '\\'), { maxLength: 400, size: 'max' })
    .map((parts) => parts.join('')),
  fc.string({ unit: 'binary' }),
);

function allItems(items: readonly CompelItem[]): CompelItem[] {
  return items.flatMap((item) =>
    item.kind === 'swap' ? [item, ...allItems(item.original), ...allItems(item.edited)] : [item],
  );
}

function expectInside({ start, end }: Range, length: number): void {
  expect(start).toBeGreaterThanOrEqual(0);
  expect(end).toBeGreaterThanOrEqual(start);
  expect(end).toBeLessThanOrEqual(length);
}

function expectTyped({ text, starts, ends, start, end }: Fragment, prompt: string): void {
  expect([starts.length, ends.length]).toEqual([text.length, text.length]);
  expectInside({ start, end }, prompt.length);
  let position = start;
  for (let i = 0; i < text.length; i++) {
    expect(starts[i]).toBeGreaterThanOrEqual(position);
    const typed = prompt.slice(starts[i], ends[i]);
    position = ends[i];
    if (text[i] === ' ') continue;
    expect(typed.replace(/^\\+(?=[()"]$)/, '')).toBe(text[i]);
  }
  expect(position).toBeLessThanOrEqual(end);
}

test('fragments are made of what was typed, in order', () => {
  fc.assert(
    fc.property(prompts, (prompt) => {
      const { fragments, parts } = parseCompel(prompt);
      expect(fragments.length).toBeGreaterThan(0);
      for (const { content } of parts) {
        expectInside(content, prompt.length);
        const contents = content.kind === 'blend' ? content.prompts : [content];
        for (const { items } of contents)
          for (const item of allItems(items)) {
            if (item.kind === 'swap') expectInside(item, prompt.length);
            else expectTyped(item, prompt);
          }
      }
      const encoded = parts.flatMap(({ content }) =>
        (content.kind === 'blend' ? content.prompts : [content]).flatMap((part) => part.fragments),
      );
      expect(fragments).toEqual(encoded);
    }),
    { numRuns: 200 },
  );
});

/** Weight of every typed character, from the outside in as the original multiplies; the original of each swap. */
function nodeWeights(nodes: readonly Node[], weight = 1): [number, number][] {
  return nodes.flatMap((node): [number, number][] => {
    if (node.type === 'text') return Array.from(node.starts, (start) => [start, weight]);
    if (node.type === 'weighted') return nodeWeights(node.children, weight * node.value);
    if (node.type === 'composite')
      return (node.operator === 'swap' ? node.parts.slice(0, 1) : node.parts).flatMap(({ children }) =>
        nodeWeights(children, weight),
      );
    return [];
  });
}

function expectNodesInside(nodes: readonly Node[], start: number, end: number): void {
  let position = start;
  for (const node of nodes) {
    expect(node.start).toBeGreaterThanOrEqual(position);
    expect(node.end).toBeLessThanOrEqual(end);
    position = node.end;
    if (node.type === 'weighted')
      expectNodesInside(
        node.children,
        node.open?.end ?? node.start,
        node.close?.start ?? node.number?.start ?? node.end,
      );
    if (node.type === 'composite')
      for (const { children, range } of node.parts) {
        expect(range.start).toBeGreaterThanOrEqual(node.start);
        expectNodesInside(children, range.start, Math.min(range.end, node.end));
      }
  }
}

test('nodes weigh every character as the fragments do', () => {
  fc.assert(
    fc.property(prompts, (prompt) => {
      const { nodes, fragments } = parseCompel(prompt);
      expectNodesInside(nodes, 0, prompt.length);
      const weights = new Map(nodeWeights(nodes));
      for (const { text, starts, weight } of fragments)
        for (let i = 0; i < text.length; i++)
          if (text[i] !== ' ' && weights.has(starts[i])) expect(weights.get(starts[i])).toBe(weight);
      const typed = new Set(fragments.flatMap(({ starts }) => starts));
      for (const [start] of weights) if (!/[\\()" ]/.test(prompt[start])) expect(typed).toContain(start);
    }),
    { numRuns: 200 },
  );
});

test('diagnostics lie in the prompt and in order, and escapes mend what they are about', () => {
  const mended = ['unclosed-bracket', 'unmatched-bracket'];
  const count = (prompt: string, code: string) =>
    parseCompel(prompt).diagnostics.filter((diagnostic) => diagnostic.code === code).length;
  fc.assert(
    fc.property(prompts, (prompt) => {
      let position = 0;
      for (const { code, start, end, message, fix } of parseCompel(prompt).diagnostics as Diagnostic[]) {
        expectInside({ start, end }, prompt.length);
        expect(end).toBeGreaterThan(start);
        expect(start).toBeGreaterThanOrEqual(position);
        expect(message).toMatch(/\S[.:]$/);
        position = start;
        if (fix && mended.includes(code))
          expect(count(applyEdits(prompt, fix.edits), code)).toBeLessThanOrEqual(count(prompt, code));
      }
    }),
    { numRuns: 150 },
  );
});

test('text and weights come back from a prompt written with them', () => {
  const word = fc.stringMatching(/^[a-zé猫0-9:!?_*&%$#@'/<>|{};]+$/);
  const weight = fc.integer({ min: 0, max: 300 }).map((hundredths) => hundredths / 100);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.array(word, { minLength: 1 }), fc.array(weight, { minLength: 1, maxLength: 4 }))),
      (parts) => {
        const prompt = parts
          .map(([text, weights]) => weights.reduce((inner, w) => `(${inner})${w}`, text.join(' ')))
          .join(' ');
        const expected: Pair[] = [];
        for (const [words, weights] of parts) {
          const product = weights.reduceRight((a, b) => a * b, 1);
          const last = expected.at(-1);
          if (last?.[1] === product) last[0] += ` ${words.join(' ')}`;
          else expected.push([words.join(' '), product]);
        }
        expect(pairs(prompt)).toEqual(expected.length > 0 ? expected : [['', 1]]);
      },
    ),
  );
});

test.each([
  ['a (cat)1.2, "dog"-- (x y)+ z++ ', 1_750],
  ['(', 50_000],
  [')', 50_000],
  ['"', 50_000],
  ['"\n', 25_000],
  ['"= ', 16_500],
  ['\\(', 25_000],
  ['\\', 50_000],
  [' ', 50_000],
  [',', 50_000],
  ['+-', 25_000],
  ['++a ', 12_500],
  ['a+!', 16_500],
  ['(a ', 16_500],
  ['a.swap(', 7_000],
  ['"a".swap(b ', 4_500],
  ['(a)+', 12_500],
  ['withLora(', 5_500],
  ['("a", ', 8_000],
])('%j, %i times over, is read at once and its nodes can be walked', (part, times) => {
  for (const prompt of [part.repeat(times), part.repeat(times) + ')+'.repeat(times)]) {
    const { nodes } = parseCompel(prompt);
    expect(nodeWeights(nodes).length).toBeLessThanOrEqual(prompt.length);
  }
});
