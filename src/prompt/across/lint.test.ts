import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import fc from '../../properties.ts';
import { readA1111Prompt, stepA1111Prompt } from '../a1111/a1111Prompt.ts';
import type { Diagnostic, Fragment } from '../ast.ts';
import { parseComfy } from '../comfy/comfyPrompt.ts';
import { parseCompel } from '../compel/compelPrompt.ts';
import { type Syntax, syntaxes } from '../syntax.ts';
import { applyFix } from '../testing/applyFix.ts';
import { lintOf } from '../testing/lintOf.ts';
import { guessSyntax } from './guessSyntax.ts';

interface Reading {
  readonly fragments: readonly Fragment[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Readers of the three languages; A1111 at the first of 20 steps. */
const read: Record<Syntax, (source: string) => Reading> = {
  a1111: (source) => {
    const { parts, diagnostics } = stepA1111Prompt(readA1111Prompt(source, { role: 'positive' }), { steps: 20 });
    return { fragments: parts.flatMap(({ steps }) => steps[0].parsed.fragments), diagnostics };
  },
  compel: (source) => {
    const { parts, diagnostics } = parseCompel(source);
    const rows = parts.map(({ content }) => (content.kind === 'prompt' ? content.fragments : []));
    return { fragments: rows.flatMap((row, i) => (i === 0 ? row : [pause, ...row])), diagnostics };
  },
  comfy: parseComfy,
};

const pause: Fragment = { kind: 'break', text: 'BREAK', weight: -1, starts: [], ends: [], start: 0, end: 0 };

/** CLIP's words, each with its weight. */
function weighed(fragments: readonly Fragment[]): (readonly [string, number])[] {
  return fragments.flatMap(({ kind, text, weight }) =>
    kind === 'break'
      ? [['BREAK', -1] as const]
      : Array.from(
          text.matchAll(/\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/gu),
          ([word]) => [word, Number(weight.toPrecision(9))] as const,
        ),
  );
}

function lintsOf(source: string, syntax: Syntax, code: string): Diagnostic[] {
  return lintOf(source, syntax).filter((diagnostic) => diagnostic.code === code);
}

const sentence = /^(?:(?!\. ).)+\.$/s;

describe('marks of another program', () => {
  // biome-ignore format: one prompt, one line
  test.each<[Syntax, string, string, string, Syntax, string | null]>([
    ['a1111', 'compel-weight', 'a cat++, b', '++', 'compel', 'a (cat:1.21), b'],
    ['a1111', 'compel-weight', 'a cat+', '+', 'compel', 'a (cat)'],
    ['a1111', 'compel-weight', 'well-known-- b', '--', 'compel', '(well-known:0.81) b'],
    ['a1111', 'compel-weight', 'a (red car)1.2 b', '1.2', 'compel', 'a (red car:1.2) b'],
    ['a1111', 'compel-weight', 'a (red car).5, b', '.5', 'compel', 'a (red car:0.5), b'],
    ['a1111', 'compel-weight', '(red, car)++', '++', 'compel', '(red, car:1.21)'],
    ['a1111', 'compel-weight', '(red)+', '+', 'compel', '(red)'],
    ['a1111', 'compel-weight', '(red)- car', '-', 'compel', '(red:0.9) car'],
    ['a1111', 'compel-weight', '(red)2 b', '2', 'compel', '(red:2) b'],
    ['a1111', 'compel-weight', 'a "red car"1.3', '1.3', 'compel', 'a (red car:1.3)'],
    ['a1111', 'compel-weight', 'a "red car".attend(1.3) b', '.attend(1.3)', 'compel', 'a (red car:1.3) b'],
    ['a1111', 'compel-weight', 'a (red car).attend(--)', '.attend(--)', 'compel', 'a (red car:0.81)'],
    ['a1111', 'compel-weight', 'a car.attend(1.3)', '.attend(1.3)', 'compel', 'a (car:1.3)'],
    ['a1111', 'compel-weight', 'a "red (x)"1.3', '1.3', 'compel', null],
    ['a1111', 'compel-operator', '("a red", "b (car)1.2").and() ', '.and', 'compel', null],
    ['a1111', 'compel-operator', '("a red", "b car++").and()', '.and', 'compel', 'a red BREAK b (car:1.21)'],
    ['a1111', 'compel-operator', '("a red", "b").and(1, 0.5)', '.and', 'compel', null],
    ['a1111', 'compel-operator', '("a red", "b").blend(1, 0.5)', '.blend', 'compel', null],
    ['a1111', 'compel-operator', 'a cat.swap(dog)', '.swap', 'compel', null],
    ['a1111', 'comfy-embedding', 'a (embedding:easy-n.pt:1.2), b', 'embedding:easy-n.pt', 'comfy', null],
    ['compel', 'comfy-embedding', 'a embedding:easy', 'embedding:easy', 'comfy', null],
    ['compel', 'brackets-weigh-nothing', 'a (red car), b', '(red car)', 'a1111', 'a (red car)+, b'],
    ['compel', 'and-for-break', 'a red BREAK b car', 'BREAK', 'a1111', '("a red ", " b car").and()'],
    ['compel', 'and-for-break', 'a BREAK b, c BREAK d', 'BREAK', 'a1111', '("a ", " b, c ", " d").and()'],
    ['compel', 'a1111-comment', 'a\n# note\nb', '# note', 'a1111', 'a\nb'],
    ['compel', 'a1111-escape', 'a \\[b', '\\[', 'a1111', 'a [b'],
    ['comfy', 'compel-weight', 'a cat++, b', '++', 'compel', 'a (cat:1.21), b'],
    ['comfy', 'compel-weight', 'a (red car)1.2 b', '1.2', 'compel', 'a (red car:1.2) b'],
    ['comfy', 'compel-weight', '(red)+ b', '+', 'compel', '(red) b'],
    ['comfy', 'compel-weight', 'a "red car".attend(1.3) b', '.attend(1.3)', 'compel', 'a (red car:1.3) b'],
    ['comfy', 'compel-lora', 'a withLora(x, 0.5)', 'withLora(x, 0.5)', 'compel', null],
    ['comfy', 'compel-operator', '("a", "b").and()', '.and', 'compel', null],
    ['comfy', 'compel-operator', '("a", "b").blend()', '.blend', 'compel', null],
    ['comfy', 'a1111-comment', '# note\nb', '# note', 'a1111', 'b'],
    ['comfy', 'a1111-escape', 'a \\[b', '\\[', 'a1111', 'a [b'],
  ])('%s, %s: %s', (syntax, code, source, mark, other, fixed) => {
    const [told, ...more] = lintsOf(source, syntax, code);
    expect(more).toEqual([]);
    expect(source.slice(told.start, told.end)).toBe(mark);
    expect(told.message).toMatch(sentence);
    if (fixed === null) return;
    expect(applyFix(source, told)).toBe(fixed);
    expect(lintsOf(fixed, syntax, code)).toEqual([]);
    expect(weighed(read[syntax](fixed).fragments)).toEqual(weighed(read[other](source).fragments));
  });

  test('inside brackets weights come to the same, in whatever order they are mended', () => {
    for (const [syntax, source, compel] of [
      ['a1111', '(a (b)1.3 cd++)1.2', '(a (b)1.3 cd++)1.2'],
      ['comfy', '(a (b)1.3 c)++', '(a (b)1.3 c)++'],
      ['comfy', '(a bc++ d:1.2)', '(a bc++ d)1.2'],
      ['comfy', '(a (bc)1.5 d:1.2)', '(a (bc)1.5 d)1.2'],
      ['comfy', '(a (bc)+ d:1.2)', '(a (bc)+ d)1.2'],
    ] as const) {
      let text: string = source;
      for (let left = lintsOf(text, syntax, 'compel-weight'); left.length > 0; ) {
        text = applyFix(text, left.find(({ fix }) => fix) ?? left[0]);
        left = lintsOf(text, syntax, 'compel-weight').filter(({ fix }) => fix);
      }
      expect(weighed(read[syntax](text).fragments), text).toEqual(weighed(read.compel(compel).fragments));
    }
    // The inner number would replace the outer one.
    expect(lintsOf('((a:2) b)1.2', 'comfy', 'compel-weight')[0].fix).toBeUndefined();
  });

  test('mended one after the other, all of a Compel prompt weighs what it weighed there', () => {
    const mark = fc.constantFrom('+', '++', '-', '--', '1.2', '.5', '2', '.attend(1.3)', '.attend(++)');
    const word = fc.constantFrom('cat', 'red', 'x-ray');
    const { prompt } = fc.letrec<{ item: string; prompt: string }>((tie) => ({
      item: fc.oneof(
        { maxDepth: 3 },
        word,
        fc.tuple(word, fc.constantFrom('+', '++', '--', '.attend(0.5)')).map((parts) => parts.join('')),
        fc.tuple(word, mark).map(([words, weight]) => `"${words} dog"${weight}`),
        fc.tuple(tie('prompt'), mark).map(([inside, weight]) => `(${inside})${weight}`),
      ),
      prompt: fc.array(tie('item'), { minLength: 1, maxLength: 4 }).map((items) => items.join(' ')),
    }));
    fc.assert(
      fc.property(prompt, fc.constantFrom('a1111' as const, 'comfy' as const), fc.nat(), (source, syntax, chosen) => {
        let text = source;
        for (;;) {
          const left = lintsOf(text, syntax, 'compel-weight').filter(({ fix }) => fix);
          if (left.length === 0) break;
          text = applyFix(text, left[chosen % left.length]);
        }
        expect(weighed(read[syntax](text).fragments), text).toEqual(weighed(read.compel(source).fragments));
      }),
      { numRuns: 200 },
    );
  });

  test('for Compel, BREAK is offered as .and() only where the parts read the same in quotes', () => {
    const piece = fc.constantFrom(
      ...[
        'cat',
        'red, car',
        'e.g.',
        'x-ray',
        'a+',
        '(b)',
        '(a b)1.2',
        'c++,',
        'U.S.+',
        '-x',
        '= y',
        '1.5',
        ',',
        '(a',
        '+',
      ],
      ...[
        'x.swap(y)',
        '"a"',
        'withLora(x, 0.5)',
        'BREAK',
        'BREAK',
        'BREAK',
        'BREAK,',
        'BREAK+',
        '()',
        'AND',
        '[a]',
        '(a BREAK b)',
        '\u3000',
        'é',
      ],
    );
    let offered = 0;
    const prompt = fc.array(piece, { minLength: 3, maxLength: 7 }).map((pieces) => pieces.join(' '));
    fc.assert(
      fc.property(prompt, (source) => {
        for (const told of lintsOf(source, 'compel', 'and-for-break')) {
          offered++;
          const typed = parseCompel(source).fragments.flatMap(({ text, weight }) =>
            weighed([{ ...pause, kind: 'text', text, weight }]),
          );
          const parts = parseCompel(applyFix(source, told)).parts.map(({ content }) =>
            weighed('fragments' in content ? content.fragments : []),
          );
          const outside = typed.filter(([word]) => word !== 'BREAK');
          expect(parts.flat().map(([word, weight]) => `${word} ${weight}`)).toEqual(
            outside.map(([word, weight]) => `${word} ${weight}`),
          );
          expect(parts.length).toBe(1 + typed.length - outside.length);
        }
      }),
      { numRuns: 1500 },
    );
    expect(offered).toBeGreaterThan(0);
  });

  test('a LoRA comes to the same tag', () => {
    for (const [source, fixed] of [
      ['a withLora(my-lora, 0.5), b', 'a <lora:my-lora:0.5>, b'],
      ['useLora(x)', '<lora:x:1>'],
    ]) {
      const [told] = lintsOf(source, 'a1111', 'compel-lora');
      expect(applyFix(source, told)).toBe(fixed);
      const [network] = readA1111Prompt(fixed, { role: 'positive' }).networks;
      const [lora] = parseCompel(source).loras;
      expect([network.name, network.multipliers?.te]).toEqual([lora.name, lora.weight]);
    }
  });

  test('an embedding is what it is called', () => {
    const source = 'a (embedding:easy-n.pt:1.2), embedding:bad.';
    const told = lintsOf(source, 'a1111', 'comfy-embedding');
    expect(applyFix(source, told[0])).toBe('a (easy-n:1.2), embedding:bad.');
    expect(applyFix(source, told[1])).toBe('a (embedding:easy-n.pt:1.2), bad.');
  });

  test('schedules are read in each of their branches', () => {
    const source = '[cat++:a (dog)1.2:0.5] [x|"y"1.5]';
    expect(lintsOf(source, 'a1111', 'compel-weight').map((told) => applyFix(source, told))).toEqual([
      '[(cat:1.21):a (dog)1.2:0.5] [x|"y"1.5]',
      '[cat++:a (dog:1.2):0.5] [x|"y"1.5]',
      '[cat++:a (dog)1.2:0.5] [x|(y:1.5)]',
    ]);
  });

  test.each([
    ['a1111', 'C++, 18+, (dress)1920s, pre- and post-war, black-and-white, (a) 1.2, \\(a\\)1.2, 16:9 ratio'],
    ['comfy', 'C++, 18+, (dress)1920s, embedding:easy, (a:1.2), \\(a\\)1.2'],
    ['compel', 'cat++ (dog)1.2 ("a b")1.3 \\(a\\)'],
    ['compel', '((a b), (c d)).and()'],
    ['compel', '(a:1.2) (b) 1.2'],
    ['compel', 'a\nBREAK b'],
    ['compel', 'a BREAK'],
    ['a1111', '# note: cat++\na'],
    ['a1111', 'a [b:0.5], (c:1.5 ), at 16:9, d:9'],
  ] as const)('%s: nothing is said of %s', (syntax, source) => {
    expect(lintOf(source, syntax)).toEqual([]);
  });
});

describe('weights', () => {
  test.each<[Syntax, string, string, string[]]>([
    ['a1111', 'weights-cancel', 'a [(b)] c', ['(b)']],
    ['a1111', 'weights-cancel', '((b:0.5) c:2)', ['(b:0.5)']],
    ['a1111', 'weights-cancel', '[(b:1.2)] (c:1)', []],
    ['a1111', 'weights-cancel', '[(b):c:0.5]', []],
    ['compel', 'weights-cancel', '(x+)- ((y)0.5)2', ['(y)0.5']],
    ['comfy', 'weights-cancel', '((y):0.5) ((z:1):2)', []],
    ['comfy', 'weights-cancel', '((x) y:0.9090909090909091)', ['(x)']],
    ['a1111', 'far-weight', '((a:2) b:2) (c:3)', ['a']],
    ['a1111', 'far-weight', '(a:-0.5), (b BREAK c:1.2)', ['a']],
    ['compel', 'far-weight', '(a b)3.5, c', ['a b']],
    ['comfy', 'far-weight', '((a:4):9) (b:-1) (c:inf)', ['a', 'b']],
    ['comfy', 'nested-absolute-weight', '(a (b:2):3)', ['2']],
    ['comfy', 'nested-absolute-weight', '((b:2)) (c:3) ((d:2):1)', ['2']],
    ['a1111', 'nested-absolute-weight', '(a (b:2):3)', []],
    ['a1111', 'number-outside-brackets', 'red cat:1.2, dog', [':1.2']],
    ['a1111', 'number-outside-brackets', '(cat:1.2, dog)', [':1.2']],
    ['a1111', 'number-outside-brackets', 'red cat:1.2', []],
    ['comfy', 'number-outside-brackets', 'red cat:1.2', [':1.2']],
    ['compel', 'number-outside-brackets', 'red cat:1.2', [':1.2']],
    ['compel', 'number-outside-brackets', '(red cat:1.2) [a:0.8]', []],
    ['a1111', 'comment-line', '#1 cat\nb', ['#1 cat']],
    ['a1111', 'comment-line', 'b\n# a\n#sunset', ['#sunset']],
  ])('%s, %s: %s', (syntax, code, source, marks) => {
    const told = lintsOf(source, syntax, code);
    expect(told.map(({ start, end }) => source.slice(start, end))).toEqual(marks);
    for (const { message } of told) expect(message).toMatch(sentence);
  });
});

// biome-ignore format: one prompt, one line
test.each<[Syntax, string, Syntax | null, string]>([
  ['a1111', 'a (cat)1.2, b++', 'compel', '1.2'],
  ['a1111', '("a", "b").and()', 'compel', '.and'],
  ['a1111', 'embedding:easy', 'comfy', 'embedding:easy'],
  ['a1111', 'embedding:easy, (b)1.2', null, ''],
  ['a1111', 'a disney+ cat', null, ''],
  ['a1111', 'a [b:c:0.5] (d:1.2)', null, ''],
  ['compel', 'a (b:1.2) [c]', 'a1111', ':1.2'],
  ['compel', 'a (b) c+', null, ''],
  ['comfy', 'a [b], <lora:x:1>', 'a1111', '[b]'],
  ['comfy', 'a (b)1.2', 'compel', '1.2'],
])('read as %s, %s looks like %s', (syntax, source, looksLike, mark) => {
  const guess = guessSyntax([...read[syntax](source).diagnostics, ...lintOf(source, syntax)]);
  expect(guess?.syntax ?? null).toBe(looksLike);
  expect(source.slice(guess?.because.start ?? 0, guess?.because.end ?? 0)).toBe(mark);
});

// biome-ignore format: one prompt, one line
describe('someone tells, once, of', () => {
  test.each<[Syntax, string, string, string, string | null]>([
    ['a1111', '[x:0.8]', 'schedule-not-weight', '[x:0.8]', '(x:0.8)'],
    ['compel', '[x:0.8]', 'square-brackets', '[x:0.8]', null],
    ['comfy', '[x:0.8]', 'square-brackets', '[x:0.8]', null],
    ['compel', '[x]', 'square-brackets', '[x]', '(x)-'],
    ['comfy', '[x]', 'square-brackets', '[x]', '(x:0.9)'],
    ['compel', '[a:b:0.5]', 'square-brackets', '[a:b:0.5]', null],
    ['comfy', '[a:b:0.5]', 'square-brackets', '[a:b:0.5]', null],
    ['compel', '[a|b]', 'square-brackets', '[a|b]', null],
    ['comfy', '[a|b]', 'square-brackets', '[a|b]', null],
    ['compel', 'a AND b', 'a1111-word', 'AND', null],
    ['comfy', 'a AND b', 'a1111-word', 'AND', null],
    ['comfy', 'a BREAK b', 'a1111-word', 'BREAK', null],
    ['compel', 'a <lora:x:1>', 'a1111-tag', '<lora:x:1>', null],
    ['comfy', 'a <lora:x:1>', 'a1111-tag', '<lora:x:1>', null],
    ['compel', '(x:1.2)', 'a1111-weight', ':1.2', '(x)1.2'],
    ['a1111', '(x BREAK y)', 'break-in-brackets', 'BREAK', '(x) BREAK (y)'],
    ['compel', '(x BREAK y)', 'a1111-word', 'BREAK', null],
    ['comfy', '(x BREAK y)', 'a1111-word', 'BREAK', null],
    ['a1111', '(a:1.1.1)', 'not-a-number-weight', ':1.1.1', '(a:1.1)'],
    ['comfy', '(a:1.1.1)', 'not-a-number-weight', ':1.1.1', '(a:1.1)'],
    ['compel', '(a:1.1.1)', 'a1111-weight', ':1.1.1', null],
    ['a1111', 'a (b', 'unclosed-bracket', '(', 'a (b)'],
    ['a1111', 'a [b', 'unclosed-bracket', '[', 'a [b]'],
    ['compel', 'a (b', 'unclosed-bracket', '(', 'a \\(b'],
    ['comfy', 'a (b', 'unclosed-bracket', '(', 'a (b)'],
    ['compel', 'U.S.A.+', 'weight-is-text', '+', '(U.S.A.)+'],
    ['a1111', 'aspect 16:9', 'guidance-weight', '9', 'aspect 16:9,'],
    ['a1111', 'a cat:1.2', 'guidance-weight', '1.2', 'a cat:1.2,'],
    ['compel', 'a cat:1.2', 'number-outside-brackets', ':1.2', null],
    ['comfy', 'a cat:1.2', 'number-outside-brackets', ':1.2', null],
    ['a1111', 'a C# b', 'comment-in-line', '# b', 'a C b'],
    ['a1111', '#1 cat', 'comment-line', '#1 cat', '1 cat'],
    ['comfy', '(a (b:2):3)', 'nested-absolute-weight', '2', null],
  ])('%s: %s', (syntax, source, code, mark, fixed) => {
    const all = [...read[syntax](source).diagnostics, ...lintOf(source, syntax)];
    const told = all.filter(({ start, end }) => source.slice(start, end) === mark);
    expect(told.map((diagnostic) => diagnostic.code)).toEqual([code]);
    expect(told[0].message).toMatch(sentence);
    expect(told[0].fix ? applyFix(source, told[0]) : null).toBe(fixed);
    if (fixed !== null) {
      const left = [...read[syntax](fixed).diagnostics, ...lintOf(fixed, syntax)];
      expect(left.map((diagnostic) => diagnostic.code)).not.toContain(code);
    }
  });
});

function expectSound(source: string, syntax: Syntax): void {
  for (const { start, end, message, fix } of lintOf(source, syntax)) {
    expect(0 <= start && start < end && end <= source.length, `${start}–${end} of ${JSON.stringify(source)}`).toBe(
      true,
    );
    expect(message).toMatch(sentence);
    let place = 0;
    for (const edit of fix?.edits ?? []) {
      expect(place <= edit.start && edit.start <= edit.end && edit.end <= source.length, source).toBe(true);
      place = edit.end;
    }
  }
}

const atoms =
  '( ) [ ] : | " \\ + - ++ -- . , # \n < > 1.2 .5 2 -1 cat a BREAK AND .and( .blend( .swap( .attend( .attend(+) withLora(x) embedding:x <lora:x:1> \ud800 \udc00 é \0 \v'
    .split(/ /)
    .concat(' ', ' ');

test.each([
  ['a cat AND b, wide 16:9', []],
  ['a (cat)1.2 AND b:2', ['1.2']],
])('a negative prompt is linted as one: %s', (source, marks) => {
  const told = lintOf(source, 'a1111', 'negative');
  expect(told.map(({ start, end }) => source.slice(start, end))).toEqual(marks);
});

test('the number after the last colon is text in a negative prompt alone', () => {
  const marks = (role: 'positive' | 'negative') => lintOf('a red cat:1.2', 'a1111', role).map(({ code }) => code);
  expect(marks('negative')).toEqual(['number-outside-brackets']);
  expect(marks('positive')).toEqual([]);
});

test('lints lie in the prompt, whatever is typed', () => {
  const prompt = fc.array(fc.constantFrom(...atoms), { maxLength: 24 }).map((parts) => parts.join(''));
  for (const syntax of syntaxes)
    fc.assert(
      fc.property(prompt, (source) => expectSound(source, syntax)),
      { numRuns: 1000 },
    );
});

test('of recorded prompts', () => {
  for (const name of ['a1111_attention', 'a1111_schedule', 'a1111_extra_networks', 'comfy_parse', 'compel_parse']) {
    const rows: { prompt: string }[] = JSON.parse(readFileSync(`src/prompt/recorded/${name}.json`, 'utf8'));
    for (const { prompt } of rows) for (const syntax of syntaxes) expectSound(prompt, syntax);
  }
});

test('of a long prompt in no time', () => {
  for (const part of [
    '(a)1.2 ',
    '((',
    'cat++ ',
    '"',
    '-',
    ' ',
    '\n#1',
    ')1',
    '[a|',
    "a'",
    'BREAK',
    '(b:2',
    '1.',
    '.and(',
    'a:.5, ',
  ]) {
    const source = part.repeat(100_000 / part.length);
    for (const syntax of syntaxes) {
      const all = lintOf(source, syntax);
      expect(
        all.every(({ end }) => end <= source.length),
        `${syntax} ${JSON.stringify(part)}`,
      ).toBe(true);
    }
  }
});
