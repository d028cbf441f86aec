/** Prompts as people type them into ComfyUI's page, by the number of the public report, and others of the kind. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { applyFix } from '../prompt/testing/applyFix.ts';
import fc from '../properties.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { defaultOptions, type PromptOptions } from './options.ts';
import { preparePrompt } from './pipeline.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
const comfy: PromptOptions = { ...defaultOptions, syntax: 'comfy', tokenizer: 'hf-slow' };

function read(prompt: string, options: Partial<PromptOptions> = {}, side: 'positive' | 'negative' = 'positive') {
  const prepared = preparePrompt(prompt, { ...comfy, ...options }, tokenizer, side);
  const tokens = prepared.chunks.flatMap(({ chunk }) => chunk.tokens).filter(({ kind }) => kind === 'text');
  return {
    ...prepared,
    weights: prepared.texts[0].fragments.map(({ text, weight }): [string, number] => [text, weight]),
    ids: tokens.map(({ id }) => id),
    typed: tokens.map(({ range }) => prompt.slice(range!.start, range!.end)),
  };
}

// biome-ignore format: one prompt, one line
test.each<[string, string, number, [string, number][]]>([
  ['B12', 'a cat // a dog\n(red:1.2) /* hidden */ fox', 0, [['a cat \n', 1], ['red', 1.2], ['  fox', 1]]],
  ['B12', '\\{day\\} sky', 0, [['{day} sky', 1]]],
  ['B12', 'from https://example.com/fox, red', 0, [['from https:', 1]]],
  ['nested', 'a {red|{dark|light} blue} fox', 3, [['a light blue fox', 1]]],
  ['weights inside and around', '({red|green}:1.{2|3}) {a|(b)}', 4, [['red', 1.3], [' ', 1], ['b', 1.1]]],
  ['unclosed brace', 'a fox {red|blue', 2, [['a fox blue', 1]]],
  ['unclosed comment', 'a /* fox', 0, [['a /* fox', 1]]],
  ['empty option', 'a {|very }red fox', 1, [['a red fox', 1]]],
  ['a comment in an option, and escapes', '{a /* | */ cat|b} \\(c\\|d\\)', 1, [['a  cat (c|d)', 1]]],
  ['a comment to the end', '// nothing', 0, []],
  ['A1111’s schedule is text here', '[{a}:{b}:0.5]', 0, [['[a:b:0.5]', 1]]],
])('%s: %s', (_, prompt, positiveVariant, weights) => {
  expect(read(prompt, { positiveVariant }).weights).toEqual(weights);
});

test('B12: the ids that ComfyUI encodes', () => {
  expect(read('a cat // a dog\n(red:1.2) /* hidden */ fox').ids).toEqual([320, 2368, 736, 3240]);
});

test('tokens stand where they were typed, and a word can come of two pieces', () => {
  const { typed, inactive, source } = read('a {fire|water}proof /* x */ \\{cat', { positiveVariant: 2 });
  expect(typed).toEqual(['a', 'water}proof', '\\{', 'cat']);
  expect(inactive.map(({ start, end }) => source.slice(start, end))).toEqual(['fire']);
});

test('through the API all of it is text', () => {
  const { weights, nodes, dynamic } = read('a {b|c} // d', { comfyInput: 'api' });
  expect(weights).toEqual([['a {b|c} // d', 1]]);
  expect(nodes.map(({ type }) => type)).toEqual(['text']);
  expect(dynamic).toBeUndefined();
});

test('each side has its own variant, and by one seed its own choices', () => {
  const prompt = '{a|b|c|d|e|f|g|h}';
  const variants = { positiveVariant: 2, negativeVariant: 3 };
  const texts = (options: Partial<PromptOptions>) =>
    (['positive', 'negative'] as const).map((side) => read(prompt, options, side).weights[0][0]);
  expect(texts(variants)).toEqual(['b', 'c']);
  const pairs = new Set(Array.from({ length: 20 }, (_, choiceSeed) => texts({ choiceSeed }).join('')));
  expect(pairs.size).toBeGreaterThan(10);
  expect([...pairs].some((pair) => pair[0] !== pair[1])).toBe(true);
});

const page = (prompt: string, variant = 1) =>
  read(prompt, { positiveVariant: variant }).diagnostics.map((diagnostic) => ({
    ...diagnostic,
    typed: prompt.slice(diagnostic.start, diagnostic.end),
    fixed: applyFix(prompt, diagnostic),
  }));

// biome-ignore format: one message, one line
test.each<[string, number, string, string, string, string | null]>([
  ['a // b\nc', 1, 'page-comment', '// b', 'ComfyUI’s page removes this comment before it reads the prompt.', null],
  ['a {b|c|d} e', 2, 'page-choice', '{b|c|d}', 'ComfyUI’s page chooses one of 3 here: this time “c”.', null],
  ['a {b|} e', 2, 'page-choice', '{b|}', 'ComfyUI’s page chooses one of 2 here: this time nothing.', null],
  ['a {b} e', 1, 'choice-of-one', '{b}', 'drops them', 'a \\{b\\} e'],
  ['a {b|c', 1, 'unclosed-choice', '{', 'never closed', 'a \\{b|c'],
  ['a /* b', 1, 'unclosed-comment', '/*', 'begins no comment', null],
  ['at http://x.y', 1, 'page-comment', '//x.y', 'to keep them', 'at http:/{}/x.y'],
  ['a b\\', 1, 'backslash-at-end', '\\', '“undefined”', 'a b'],
])('%s: one message', (prompt, variant, code, typed, said, fixed) => {
  const [first, ...more] = page(prompt, variant);
  expect(more).toEqual([]);
  expect(first).toMatchObject({ code, typed, fixed: fixed ?? prompt });
  expect(first.message).toContain(said);
});

test('marks that are there for the page are not told as slips, nor is what it removed', () => {
  expect(page('\\{a\\} // (b:x) [c]').map(({ code }) => code)).toEqual(['page-comment']);
});

test('mistakes are told where they were typed, and mended without touching a comment', () => {
  const told = page('/* a */ b, (c: ) {d|[e]}', 2);
  expect(told.map(({ code, typed, fixed }) => [code, typed, fixed])).toEqual([
    ['page-comment', '/* a */', '/* a */ b, (c: ) {d|[e]}'],
    ['not-a-number-weight', ': ', '/* a */ b, (c) {d|[e]}'],
    ['page-choice', '{d|[e]}', '/* a */ b, (c: ) {d|[e]}'],
    ['square-brackets', '[e]', '/* a */ b, (c: ) {d|(e:0.9)}'],
  ]);
  const [cut] = page('(c:/* a */ )');
  expect([cut.code, cut.typed, cut.fix]).toEqual(['not-a-number-weight', ':/* a */ ', undefined]);
});

test('whatever is typed, all that is told lies in it, and mending a weight leaves comments and options as they are', () => {
  const pieces = [
    '{',
    '|',
    '}',
    '{a|b}',
    '//',
    '/*',
    '*/',
    '\\',
    '(',
    ')',
    '[',
    ']',
    ':1.2)',
    ': )',
    'a',
    'b ',
    '\n',
    '猫',
  ];
  const ofPage = ['page-comment', 'page-choice', 'choice-of-one', 'unclosed-choice', 'backslash-at-end'];
  const aside = ({ dynamic, source }: ReturnType<typeof read>) => {
    const { comments, choices } = dynamic!;
    const others = choices.flatMap(({ options, chosen }) => options.filter((_, i) => i !== chosen));
    return [...comments, ...others].map(({ start, end }) => source.slice(start, end));
  };
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 16 }), fc.nat(1000), (parts, choiceSeed) => {
      const prompt = parts.join('');
      const prepared = read(prompt, { choiceSeed });
      const { diagnostics, nodes, texts, inactive } = prepared;
      const ranges = [...diagnostics, ...nodes, ...texts[0].fragments, ...inactive];
      for (const { start, end } of [...ranges, ...diagnostics.flatMap(({ fix }) => fix?.edits ?? [])])
        expect(0 <= start && start <= end && end <= prompt.length).toBe(true);
      for (const diagnostic of diagnostics)
        if (diagnostic.fix && !ofPage.includes(diagnostic.code))
          expect(aside(read(applyFix(prompt, diagnostic), { choiceSeed }))).toEqual(aside(prepared));
    }),
    { numRuns: 1000 },
  );
});
