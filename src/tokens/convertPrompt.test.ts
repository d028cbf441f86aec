import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseA1111 } from '../prompt/a1111/emphasis.ts';
import { type Piece, printPrompt } from '../prompt/across/translate.ts';
import type { Fragment } from '../prompt/ast.ts';
import { parseComfy } from '../prompt/comfy/comfyPrompt.ts';
import { sameChooser } from '../prompt/comfy/dynamicPrompt.ts';
import { parseCompel } from '../prompt/compel/compelPrompt.ts';
import { type Syntax, syntaxes } from '../prompt/syntax.ts';
import fc from '../properties.ts';
import { type Conversion, convertPrompt } from './convertPrompt.ts';
import { fragmentTokens } from './promptTokens.ts';
import { createTokenizer } from './tokenizer.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
const pairs = syntaxes.flatMap((from) => syntaxes.filter((to) => to !== from).map((to) => [from, to] as const));

function convert(source: string, from: Syntax, to: Syntax): Conversion {
  return convertPrompt(source, from, to, tokenizer);
}

test('what Compel cuts off is told, unless it splits', () => {
  const cats = 'cat '.repeat(80).trim();
  const read = (source: string, from: Syntax, to: Syntax, ways: object = {}) =>
    convertPrompt(source, from, to, tokenizer, undefined, undefined, undefined, undefined, ways);
  const there = read(cats, 'a1111', 'compel');
  expect([there.text, there.isSame]).toEqual([cats, false]);
  expect(there.rows.filter(({ kind }) => kind === 'missing')).toHaveLength(5);
  expect(there.lost.map(({ message }) => message)).toEqual([
    'Compel encodes the first 75 tokens of a prompt alone, unless it is told to split it, so the rest is cut off.',
  ]);
  const back = read(cats, 'compel', 'comfy');
  expect(back.rows.filter(({ kind }) => kind === 'added')).toHaveLength(5);
  expect(back.lost.map(({ message }) => message)).toEqual([
    'Compel encodes the first 75 tokens of a prompt alone, unless it is told to split it, and ComfyUI encodes all of it.',
  ]);
  expect(read(cats, 'a1111', 'compel', { split: 'NONE' })).toMatchObject({ isSame: true, lost: [] });
  // Each text of Compel's is cut by itself.
  expect(read(`${cats.slice(0, 200)} BREAK ${cats.slice(0, 200)}`, 'a1111', 'compel').isSame).toBe(true);
});

test('a BREAK that nothing follows begins no chunk of A1111’s', () => {
  expect(convert('a BREAK', 'a1111', 'compel')).toMatchObject({ text: 'a', isSame: true });
  expect(convert('("a", "").and()', 'compel', 'a1111')).toMatchObject({ text: 'a BREAK  BREAK', isSame: true });
  expect(convert('a BREAK BREAK', 'a1111', 'compel')).toMatchObject({ text: '("a", "").and()', isSame: true });
});

test('a LoRA that is named twice is named once, by what is added of it', () => {
  expect(convert('<lora:x:0.5> <lora:x:1> cat', 'a1111', 'compel')).toMatchObject({
    text: 'cat withLora(x, 2)',
    lost: [],
  });
  const back = convert('withLora(x, 0.5) withLora(x, 1) cat', 'compel', 'a1111');
  expect(back).toMatchObject({ text: 'cat <lora:x:1.5>', lost: [] });
});

test('schedules are read at the first of as many steps as there are', () => {
  const first = (ways: object) =>
    convertPrompt('[cat:dog:0.04] x', 'a1111', 'comfy', tokenizer, undefined, undefined, undefined, undefined, ways)
      .text;
  expect([first({}), first({ steps: 50 })]).toEqual(['dog x', 'cat x']);
});

test('a negative prompt of A1111’s names no network', () => {
  const negative = (source: string, from: Syntax, to: Syntax) =>
    convertPrompt(source, from, to, tokenizer, undefined, 'negative');
  expect(negative('<lora:x:1> blurry', 'a1111', 'comfy')).toMatchObject({ text: '<lora:x:1> blurry', isSame: true });
  const lost = negative('withLora(x, 0.5) blurry', 'compel', 'a1111');
  expect(lost.text).toBe('blurry');
  expect(lost.lost.map(({ message }) => message)).toEqual([
    'A1111 loads no LoRA from the negative prompt, so this one is left out.',
  ]);
});

test('A1111’s brackets are read and written as the options say', () => {
  const read = (source: string, from: Syntax, to: Syntax, brackets: object) =>
    convertPrompt(source, from, to, tokenizer, undefined, undefined, undefined, undefined, brackets);
  const lecture = { squareFactor: 0.9 };
  expect(read('a [red] car', 'a1111', 'comfy', lecture)).toMatchObject({ text: 'a (red:0.9) car', isSame: true });
  expect(read('a (red:0.9) car', 'comfy', 'a1111', lecture)).toMatchObject({ text: 'a [red] car', isSame: true });
  expect(read('a (red)0.909090909091 car', 'compel', 'a1111', lecture)).toMatchObject({
    ...{ text: 'a (red:0.909090909091) car', isSame: true },
  });
  const none = { emphasis: false };
  expect(read('a (red:1.3) car', 'a1111', 'comfy', none)).toMatchObject({ text: 'a \\(red:1.3\\) car', isSame: true });
  expect(read('\\(a\\) b', 'comfy', 'a1111', none)).toMatchObject({ text: '(a) b', isSame: true });
  const lost = read('a (red:1.3) car', 'comfy', 'a1111', none);
  expect(lost.text).toBe('a red car');
  expect(lost.lost.map(({ message }) => message)).toEqual([
    'A1111’s emphasis mode None takes brackets for characters, so this weighs 1.',
  ]);
  expect(read('("a", "b").and()', 'compel', 'a1111', none).lost.map(({ message }) => message)).toEqual([
    'In emphasis mode None A1111 has no BREAK, so the chunks follow one another.',
  ]);
});

// biome-ignore format: one prompt, one line
test.each<[Syntax, Syntax, string, string]>([
  ['a1111', 'compel', 'a (red:1.3) car', 'a (red)1.3 car'],
  ['a1111', 'compel', '((a)) [b], c', '(a)1.21 (b)0.909090909091, c'],
  ['a1111', 'compel', 'a, (b), (c:0.9)', 'a, (b)+, (c)-'],
  ['a1111', 'compel', 'a BREAK (b:1.2) "c"', '("a", "(b)1.2 \\"c\\"").and()'],
  ['a1111', 'compel', 'C++, a cat+ \\(b\\)', 'C ++, a cat + \\(b\\)'],
  ['a1111', 'compel', '(3.14, x-ray:1.2)', '(3.14, x-ray)1.2'],
  ['a1111', 'compel', 'a\\\\ (b\\\\:1.2)', 'a\\ (b\\ )1.2'],
  ['a1111', 'comfy', 'a (b (c:2):1.5) [d]', 'a (b :1.5)(c:3) (d:0.909090909091)'],
  ['a1111', 'comfy', '((a)) \\(b\\) (c:-1)', '(a:1.21) \\(b\\) (c:-1)'],
  ['a1111', 'comfy', 'a\\\\()(b:1.2)', 'a\\ (b:1.2)'],
  ['a1111', 'comfy', 'a\\\\(b:1.2) (c:\\1.5)', 'a\\ (b:1.2) (c:1.5:1.1)'],
  ['compel', 'a1111', 'a (b)1.2 c++, [d] (e)', 'a (b:1.2) (c:1.21), \\[d\\] e'],
  ['compel', 'a1111', '("a", "(b)0.5").and()', 'a BREAK (b:0.5)'],
  ['compel', 'a1111', 'aspect 16:9', 'aspect 16:\\9'],
  ['compel', 'comfy', 'a (b c-)1.2', 'a (b:1.2) (c:1.08)'],
  ['comfy', 'a1111', 'a (b (c:2):1.5) [d]', 'a (b :1.5)(c:2) \\[d\\]'],
  ['comfy', 'a1111', '(a:1.2)(b:1.2)', '(a:1.2) (b:1.2)'],
  ['comfy', 'a1111', '(a\\(:0.5:0.9090909090909091) BREAK', '(a\\(:0.5:0.909090909091) B\\REAK'],
  ['comfy', 'compel', '(a (b:2)) <lora:x:1>', '(a)+ (b)2 <lora:x:1>'],
  ['a1111', 'compel', '<lora:x:0.8>a (b:1.2) <lyco:y-2:te=-0.5:unet=-0.5> <lora:z>', 'a (b)1.2 withLora(x, 0.8) withLora(y-2, -0.5) withLora(z, 1)'],
  ['a1111', 'compel', 'a BREAK b <lora:x:1>', '("a", "b withLora(x, 1)").and()'],
  ['a1111', 'compel', '<lora:x:1>', 'withLora(x, 1)'],
  ['compel', 'a1111', 'a withLora(foo, 0.5) b useLora(bar)', 'a b <lora:foo:0.5> <lora:bar:1>'],
  ['compel', 'a1111', '("a withLora(foo, 0.5)", "b").and()', 'a BREAK b <lora:foo:0.5>'],
  ['comfy', 'compel', '(a:1e-7) (b:1_0)', '(a)0.0000001 (b)10'],
])('%s to %s: %s', (from, to, source, text) => {
  const conversion = convert(source, from, to);
  expect(conversion.text).toBe(text);
  expect(conversion.lost).toEqual([]);
  expect(conversion.isSame).toBe(true);
});

// biome-ignore format: one prompt, one line
describe('what is lost is named', () => {
  test.each<[Syntax, Syntax, string, string, string[], string[]]>([
    ['a1111', 'compel', 'a (b:-0.5) c', 'a (b)0 c', ['b</w>: weight'], ['b']],
    ['a1111', 'compel', 'a (x=y b:1.5)', 'a (x)1.5 = (y b)1.5', ['=</w>: weight'], ['=']],
    ['a1111', 'compel', 'a (b - c:1.5)', 'a (b)1.5 - (c)1.5', ['-</w>: weight'], ['-']],
    ['a1111', 'compel', '(miku \\(vocaloid\\), cat...:1.5)', '(miku \\(vocaloid)1.5 \\), (cat)1.5 ...', ['),</w>: weight', '...</w>: weight'], ['\\),', '...']],
    ['a1111', 'compel', '[a:b:10] [c|d]', 'a c', [], ['[a:b:10]', '[c|d]']],
    ['a1111', 'comfy', '# x\na <lora:y:1> b:1.5', 'a  b', [], ['# x', '<lora:y:1>', '1.5']],
    ['a1111', 'compel', 'a AND b', '("a", "b").and()', [], ['AND']],
    ['a1111', 'comfy', 'a BREAK b', 'a b', ['BREAK: missing'], ['BREAK']],
    ['compel', 'a1111', '(cat).swap(dog) b', 'cat b', [], ['(cat).swap(dog)']],
    ['compel', 'a1111', '("a", "b").blend(1, 0.5)', 'a BREAK b', [], ['("a", "b").blend(1, 0.5)']],
    ['compel', 'a1111', '("a", "b").and(1, 0.5)', 'a BREAK b', [], ['"b"']],
    ['compel', 'comfy', 'a withLora(x, 0.5)', 'a', [], ['withLora(x, 0.5)']],
    ['comfy', 'a1111', 'a #1 b', 'a #1 b', ['#</w>: missing', '1</w>: missing', 'b</w>: missing'], ['#1 b']],
    ['comfy', 'a1111', 'a (BREAK:-1) b', 'a (B\\REAK:-1) b', ['break</w>: missing', 'BREAK: added'], ['BREAK']],
    ['comfy', 'a1111', '(a:inf)', 'a', ['a</w>: weight'], ['a']],
    ['comfy', 'a1111', 'a embedding:x', 'a x', ['embedding:x: missing', 'x</w>: added'], ['embedding:x']],
    ['a1111', 'comfy', 'a embedding:x', 'a embedding:x', ['embed: missing', 'ding</w>: missing', ':</w>: missing', 'x</w>: missing', 'embedding:x: added'], ['embedding:x']],
    ['a1111', 'compel', 'a <hypernet:x:1> <foo:y>', 'a', [], ['<hypernet:x:1>', '<foo:y>']],
    ['a1111', 'compel', 'a <lora:x:1:0.5> <lora:y z:1>', 'a withLora(x, 1)', [], ['<lora:x:1:0.5>', '<lora:y z:1>']],
    ['a1111', 'compel', 'a <lora:x:1> <lora:y:z>', 'a', [], ['<lora:x:1>', '<lora:y:z>']],
    ['compel', 'a1111', 'a # withLora(x)', 'a # <lora:x:1>', ['#</w>: missing'], ['#', 'withLora(x)']],
  ])('%s to %s: %s', (from, to, source, text, differing, ranges) => {
    const { rows, lost, isSame, ...conversion } = convert(source, from, to);
    expect(conversion.text).toBe(text);
    expect(rows.filter(({ kind }) => kind !== 'same').map((row) => `${row.text}: ${row.kind}`)).toEqual(differing);
    expect(isSame).toBe(differing.length === 0);
    expect(lost.map(({ range }) => source.slice(range.start, range.end))).toEqual(ranges);
    for (const { message } of lost) expect(message).toMatch(/^(?:(?!\. ).)+\.$/);
  });
});

const vector = (value: number) => new Float32Array(4).fill(value);
const embeddings = [
  { name: 'myemb', vectors: [vector(1), vector(2)] },
  { name: 'myemb-v2', vectors: [vector(3)] },
  { name: 'toy', trainedAs: '<cat-toy>', vectors: [vector(4), vector(5), vector(6)] },
];
const convertNamed = (source: string, from: Syntax, to: Syntax, named = embeddings) =>
  convertPrompt(source, from, to, tokenizer, undefined, 'positive', named);

// biome-ignore format: one prompt in each language, one line
describe('textual inversions are named as the other program does', () => {
  test.each<[string, string, string, number]>([
    ['a photo of (myemb:1.2), cat', 'a photo of (myemb)1.2, cat', 'a photo of (embedding:myemb:1.2), cat', 7],
    ['myemb, cat', 'myemb, cat', 'embedding:myemb, cat', 4],
    ['(myemb), cat', '(myemb)+, cat', '(embedding:myemb:1.1), cat', 4],
    ['a myemb-v2 (myemb:0.5) b', 'a myemb-v2 (myemb)0.5 b', 'a embedding:myemb-v2 (embedding:myemb:0.5) b', 5],
    ['myemb myemb-v2', 'myemb myemb-v2', 'embedding:myemb embedding:myemb-v2', 3],
    ['(a toy b:1.3)', '(a <cat-toy> b)1.3', '(a embedding:toy b:1.3)', 5],
  ])('%s, %s, %s', (a1111, compel, comfy, count) => {
    const typed = { a1111, compel, comfy };
    for (const [from, to] of pairs) {
      const { text, isSame, lost, rows } = convertNamed(typed[from], from, to);
      expect([text, lost, isSame, rows.length], `${from} to ${to}`).toEqual([typed[to], [], true, count]);
    }
  });
  test.each<[Syntax, Syntax, string, string]>([
    ['a1111', 'comfy', 'a MyEmb. b', 'a embedding:myemb . b'],
    ['a1111', 'comfy', 'a,myemb,b', 'a, embedding:myemb ,b'],
    ['a1111', 'compel', 'a BREAK (myemb:1.2)', '("a", "(myemb)1.2").and()'],
    ['compel', 'comfy', 'a xmyemby', 'a x embedding:myemb y'],
    ['comfy', 'a1111', '(a:1.2)embedding:myemb,, b', '(a:1.2)myemb,, b'],
    ['comfy', 'compel', 'embedding: myemb b', 'myemb b'],
    ['comfy', 'a1111', '(a:1.2) embedding:myemb (b:1.2)', '(a:1.2) myemb (b:1.2)'],
  ])('%s to %s: %s', (from, to, source, text) => {
    const conversion = convertNamed(source, from, to);
    expect([conversion.text, conversion.lost, conversion.isSame]).toEqual([text, [], true]);
  });
});

test('a row of an embedding says which, and weighs as it', () => {
  const [, first, second] = convertNamed('a (myemb:1.2)', 'a1111', 'comfy').rows;
  const range = { start: 3, end: 8 };
  const convertedRange = { start: 3, end: 18 };
  const embedding = { name: 'myemb', isOpen: true };
  const row = { kind: 'same', weight: 1.2, converted: 1.2, range, convertedRange, embedding };
  expect([first, second]).toEqual([
    { ...row, text: 'myemb 1' },
    { ...row, text: 'myemb 2' },
  ]);
});

// biome-ignore format: one prompt, one line
describe('vectors that get lost are counted and told', () => {
  const spaced = [{ name: 'my emb', vectors: [vector(1)] }];
  const long = [{ name: 'long', vectors: Array.from({ length: 76 }, (_, i) => vector(i)) }];
  test.each<[Syntax, Syntax, string, typeof embeddings, string, string[], RegExp]>([
    ['a1111', 'comfy', 'a my emb', spaced, 'my emb', ['my emb: missing', 'embedding:my: added', 'em: added', 'b</w>: added'], /“my emb”/],
    ['comfy', 'a1111', 'a myemb b', embeddings, 'myemb', ['mye: missing', 'mb</w>: missing', 'myemb 1: added', 'myemb 2: added'], /“myemb” for the embedding/],
    ['a1111', 'compel', '(e.v1:1.2), e.v1', [{ name: 'e.v1', vectors: [vector(1)] }], 'e.v1', ['e.v1: missing', 'e</w>: added', '.</w>: added', 'v</w>: added', '1</w>: added'], /where its name is weighed/],
    ['comfy', 'a1111', 'a embedding:long', long, 'embedding:long', [...long[0].vectors.map((_, i) => `long ${i + 1}: missing`), 'long</w>: added'], /more than 75 vectors/],
  ])('%s to %s: %s', (from, to, source, named, place, differing, message) => {
    const { rows, lost, isSame } = convertNamed(source, from, to, named);
    expect(rows.filter(({ kind }) => kind !== 'same').map((row) => `${row.text}: ${row.kind}`)).toEqual(differing);
    expect(isSame).toBe(false);
    expect(lost.map(({ range }) => source.slice(range.start, range.end))).toEqual([place]);
    expect(lost[0].message).toMatch(message);
  });
});

test('anything with embeddings in it is converted', () => {
  const atom = fc.constantFrom(
    ...'() ,:',
    ' embedding:',
    'myemb',
    'toy',
    '<cat-toy>',
    '-v2',
    '_1',
    'a',
    '1.2',
    '<lora:x:1>',
    ' withLora(x)',
  );
  for (const [from, to] of pairs)
    fc.assert(
      fc.property(fc.string({ unit: atom, maxLength: 12 }), (source) => expectSound(source, from, to, embeddings)),
      { numRuns: 300 },
    );
});

test('rows say where a token is in both prompts', () => {
  const { rows } = convert('a (red:1.5)', 'a1111', 'compel');
  expect(rows).toEqual([
    {
      kind: 'same',
      text: 'a</w>',
      weight: 1,
      converted: 1,
      range: { start: 0, end: 1 },
      convertedRange: { start: 0, end: 1 },
    },
    {
      kind: 'same',
      text: 'red</w>',
      weight: 1.5,
      converted: 1.5,
      range: { start: 3, end: 6 },
      convertedRange: { start: 3, end: 6 },
    },
  ]);
  const pause = convert('a BREAK b', 'a1111', 'compel').rows[1];
  expect(pause).toMatchObject({
    kind: 'same',
    text: 'BREAK',
    weight: null,
    converted: null,
    range: { start: 2, end: 7 },
  });
});

test('a negative prompt has no AND', () => {
  const negative = convertPrompt('a AND b', 'a1111', 'comfy', tokenizer, undefined, 'negative');
  expect([negative.text, negative.lost]).toEqual(['a AND b', []]);
});

const words = fc.constantFrom(
  'cat',
  'a',
  'x-ray',
  'don’t',
  'BREAK',
  'AND',
  '16:9',
  '3.14',
  '[b]',
  '(c)',
  'C++',
  '"q"',
  'a,b',
  '<lora:x:1>',
  '猫',
  'é',
  'a\\b',
  '!?',
  'a|b',
  ':',
  ',',
  '.',
  '-',
  '...',
  '=',
  '#',
);
const weights = fc.oneof(
  fc.constantFrom(1, 1.1, 1 / 1.1, 0.9, 1.21),
  fc.integer({ min: 1, max: 4000 }).map((n) => n / 1000),
);
const pieces = (word: fc.Arbitrary<string>, pauses: boolean): fc.Arbitrary<Piece[]> => {
  const text = fc.record({
    kind: fc.constant('text' as const),
    text: fc.array(word, { minLength: 1, maxLength: 4 }).map((list) => list.join(' ')),
    weight: weights,
  });
  const pause = fc.constant<Piece>({ kind: 'break', text: 'BREAK', weight: -1 });
  const space: Piece = { kind: 'text', text: ' ', weight: 1 };
  // A1111 joins what weighs the same.
  return fc
    .array(fc.oneof({ weight: 4, arbitrary: text }, { weight: pauses ? 1 : 0, arbitrary: pause }), {
      minLength: 1,
      maxLength: 6,
    })
    .map((list) => list.flatMap((piece) => [piece, space]));
};

/** The id and weight of each token, BREAKs included, as the program of `syntax` reads a text. */
function weighed(text: string, syntax: Syntax): [number, number][] {
  let fragments: readonly Fragment[] = [];
  if (syntax === 'a1111') fragments = parseA1111(text).fragments;
  if (syntax === 'comfy') fragments = parseComfy(text).fragments;
  if (syntax === 'compel')
    fragments = parseCompel(text).parts.flatMap(({ content }, i) => {
      const pause: Fragment = { kind: 'break', text: 'BREAK', weight: -1, starts: [], ends: [], start: 0, end: 0 };
      return content.kind === 'blend' ? [] : [...(i === 0 ? [] : [pause]), ...content.fragments];
    });
  // A1111 begins no chunk after a BREAK that nothing follows.
  if (syntax === 'a1111' && fragments.findLast(({ text }) => text.trim() !== '')?.kind === 'break')
    fragments = fragments.slice(
      0,
      fragments.findLastIndex(({ kind }) => kind === 'break'),
    );
  return fragments.flatMap((fragment) =>
    fragment.kind === 'break'
      ? [[-1, 0] as [number, number]]
      : fragmentTokens([fragment], tokenizer).map(({ id, weight }): [number, number] => [
          id,
          Number(weight.toFixed(6)),
        ]),
  );
}

test.each(pairs)('from %s to %s tokens and weights are kept where nothing is lost', (from, to) => {
  let kept = 0;
  fc.assert(
    fc.property(pieces(words, true), (list) => {
      const source = printPrompt(list, from);
      const { text, isSame, lost } = convert(source, from, to);
      if (lost.length > 0) return;
      kept++;
      expect(isSame).toBe(true);
      expect(weighed(text, to), text).toEqual(weighed(source, from));
    }),
    { numRuns: 400 },
  );
  expect(kept).toBeGreaterThan(40);
});

test('nothing is lost of words and of marks that stand in words', () => {
  const plain = fc.constantFrom(
    'cat',
    'a',
    'x-ray',
    'don’t',
    'BREAK',
    'AND',
    '16:9',
    '3.14',
    '[b]',
    '(c)',
    '"q"',
    'a,b',
    'a\\b',
    '!?',
    ':',
    ',',
    '.',
    '猫',
  );
  for (const [from, to] of pairs)
    fc.assert(
      fc.property(pieces(plain, to !== 'comfy' && from !== 'comfy'), (list) => {
        const source = printPrompt(list, from);
        const { lost, isSame } = convert(source, from, to);
        expect([lost, isSame], `${source}, ${printPrompt(list, to)}`).toEqual([[], true]);
      }),
      { numRuns: 300 },
    );
});

function expectSound(source: string, from: Syntax, to: Syntax, named: typeof embeddings = []): void {
  const { rows, isSame, lost, text } = convertNamed(source, from, to, named);
  const differs = ({ kind, weight, converted }: Conversion['rows'][number]) =>
    kind !== 'same' || (weight !== converted && Math.abs(weight! - converted!) > 1e-6 * Math.max(1, Math.abs(weight!)));
  expect(isSame).toBe(!rows.some((row) => differs(row)));
  if (!isSame) expect(lost.length).toBeGreaterThan(0);
  const lies = (range: { start: number; end: number } | null, of: string) =>
    range === null || (0 <= range.start && range.start <= range.end && range.end <= of.length);
  for (const { range } of lost) expect(lies(range, source)).toBe(true);
  for (const { kind, range, convertedRange } of rows) {
    expect(lies(range, source) && lies(convertedRange, text)).toBe(true);
    expect([range === null, convertedRange === null]).toEqual([kind === 'added', kind === 'missing']);
  }
}

test('recorded prompts are converted, whatever is in them', () => {
  for (const name of [
    'a1111_attention',
    'a1111_schedule',
    'a1111_multicond',
    'a1111_extra_networks',
    'comfy_parse',
    'compel_parse',
  ]) {
    const rows: { prompt: string }[] = JSON.parse(readFileSync(`src/prompt/recorded/${name}.json`, 'utf8'));
    const prompts = new Set(rows.map(({ prompt }) => prompt));
    for (const prompt of prompts) for (const [from, to] of pairs) expectSound(prompt, from, to);
  }
});

test('anything that is typed is converted', () => {
  const atom = fc.constantFrom(
    ...'()[]:|"\\+-.,#\n<> =',
    'a',
    'cat ',
    'BREAK',
    ' AND ',
    '1.2',
    '.and(',
    '\ud800',
    '\0',
    '\v',
    '++',
    '<lora:x:1>',
  );
  for (const [from, to] of pairs)
    fc.assert(
      fc.property(fc.string({ unit: atom, maxLength: 20 }), (source) => expectSound(source, from, to)),
      { numRuns: 500 },
    );
});

test('a prompt of which nothing is left is compared, too', () => {
  const source = `# ${'a b c '.repeat(4000)}\n${'d '.repeat(4000)}`;
  const { isSame, rows } = convert(source, 'comfy', 'a1111');
  expect([isSame, rows.length > 10_000]).toEqual([false, true]);
});

describe('ComfyUI’s page', () => {
  const chosen = (choices: readonly number[]) => sameChooser(choices.map((chosen) => ({ chosen })));
  const byPage = (source: string, from: Syntax, to: Syntax, choices: readonly number[] = []) =>
    convertPrompt(source, from, to, tokenizer, undefined, 'positive', [], chosen(choices));

  test.each<[Syntax, string, string]>([
    ['a1111', 'a {day|night} (b\\{:1.2)', 'a \\{day|night\\} (b\\{:1.2)'],
    ['a1111', 'see https://x, /* (c:1.2) */', 'see https:/{}/x, /{}* (c:1.2) */'],
    ['compel', 'a// b (c)1.3 \\\\', 'a/{}/ b (c:1.3) \\\\'],
  ])('from %s: %s', (from, source, text) => {
    const conversion = byPage(source, from, 'comfy');
    expect([conversion.text, conversion.lost, conversion.isSame]).toEqual([text, [], true]);
  });

  test('comments and other options are lost, and told', () => {
    const { text, isSame, lost } = byPage('a {b|(c:1.2)} /* d */ \\{e\\} // f', 'comfy', 'a1111', [1]);
    expect([text, isSame]).toEqual(['a (c:1.2)  {e}', true]);
    expect(lost).toEqual([
      {
        message: 'A1111 chooses nothing, so only what ComfyUI’s page chose this time is converted.',
        range: { start: 2, end: 13 },
      },
      { message: 'ComfyUI’s page removes this comment, so it is left out.', range: { start: 14, end: 21 } },
      { message: 'ComfyUI’s page removes this comment, so it is left out.', range: { start: 28, end: 32 } },
    ]);
  });

  test('a prompt for the page holds the tokens that one for the API holds', () => {
    const pieces = ['{', '}', '|', '\\', '//', '/*', '*/', 'a', ' b', '(c:1.2)', '\\(', ', ', '\n'];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), (parts) => {
        const source = parts.join('');
        const seen = ({ rows }: Conversion) => rows.map(({ kind, text, converted }) => [kind, text, converted]);
        expect(seen(byPage(source, 'a1111', 'comfy'))).toEqual(seen(convert(source, 'a1111', 'comfy')));
      }),
      { numRuns: 500 },
    );
  });
});
