import { describe, expect, test } from 'vitest';
import { passKey } from '../../clip/encoderPass.ts';
import a1111Recorded from '../../prompt/recorded/a1111_attention.json';
import comfyRecorded from '../../prompt/recorded/comfy_parse.json';
import compelRecorded from '../../prompt/recorded/compel_parse.json';
import { whole } from '../../prompt/slices.ts';
import { syntaxes } from '../../prompt/syntax.ts';
import { ownMethod } from '../../weighting/methods.ts';
import { defaultOptions, type PromptOptions } from '../options.ts';
import { promptConditionings, promptEmbeds } from '../pipeline.ts';
import { d, fakeZ, tokenizer } from '../testing/prompts.ts';
import {
  comparePair,
  comparingPrograms,
  differenceSentences,
  type PairDifference,
  type ProgramPair,
  type ProgramReadings,
  pairSentences,
  readPrograms,
} from './programs.ts';

const label = ({ text }: { readonly text: string }) => text.replace('</w>', '');
const read = (prompt: string, options: Partial<PromptOptions> = {}) =>
  readPrograms(prompt, { ...defaultOptions, ...options }, tokenizer);
const pairs: readonly ProgramPair[] = [
  ['a1111', 'comfy'],
  ['a1111', 'compel'],
  ['comfy', 'compel'],
];

/** A row as a line: the token, then its weight in A1111, ComfyUI and Compel, – where it is not read. */
function lines({ rows }: ProgramReadings): string[] {
  return rows.map((row) => {
    const cells = (['a1111', 'comfy', 'compel'] as const).map((syntax) => row[syntax]);
    const weights = cells.map((cell) => (cell ? Number(cell.token.weight.toPrecision(4)) : '–'));
    return [label(cells.find((cell) => cell !== undefined)!.token), ...weights].join(' ');
  });
}

function difference(study: ProgramReadings, pair: ProgramPair): PairDifference {
  const [a, b] = pair.map((syntax) => promptConditionings(study.readings[syntax].prepared, fakeZ, ownMethod[syntax]));
  return whole(comparingPrograms(study, pair, [a, b], d));
}

test('what no program does is left out of the comparison', () => {
  const passesOf = (options: Partial<PromptOptions>) =>
    syntaxes.map((syntax) => {
      const { texts } = read('a (red:1.3) car', options).readings[syntax].prepared;
      return texts.map(({ weighted: { chunks, mapped = chunks } }) => mapped.map(({ pass }) => passKey(pass)));
    });
  expect(passesOf({ context: 'alone', rowMaps: '2: z * 2' })).toEqual(passesOf({}));
});

describe('three programs, token by token', () => {
  // Compel takes brackets away and keeps the number in them.
  test.each<[string, string[]]>([
    [
      'a (red:1.3) [blurry] car',
      [
        ...['a 1 1 1', 'red 1.3 1.3 1', ': – – 1', '1 – – 1', '. – – 1', '3 – – 1'],
        ...['[ – 1 1', 'blurry 0.9091 1 1', '] – 1 1', 'car 1 1 1'],
      ],
    ],
    [
      '((a:1.2) b:1.1)',
      [
        ...['a 1.32 1.2 1', ': – – 1', '1 – – 1', '. – – 1', '2 – – 1'],
        ...['b 1.1 1.1 1', ': – – 1', '1 – – 1', '. – – 1', '1 – – 1'],
      ],
    ],
    ['(red)++', ['red 1.1 1.1 1.21', '++ 1 1 –']],
    ['a cat BREAK a dog', ['a 1 1 1', 'cat 1 1 1', 'break – 1 1', 'a 1 1 1', 'dog 1 1 1']],
    [
      '("a cat", "a dog").blend(0.7, 0.3)',
      [
        ...[
          '" 1.1 1.1 –',
          'a 1.1 1.1 1',
          'cat 1.1 1.1 1',
          '", 1.1 1.1 –',
          '" 1.1 1.1 –',
          'a 1.1 1.1 1',
          'dog 1.1 1.1 1',
        ],
        ...['" 1.1 1.1 –', '. 1 1 –', 'blend 1 1 –', '0 1.1 1.1 –', '. 1.1 1.1 –', '7 1.1 1.1 –', ', 1.1 1.1 –'],
        ...['0 1.1 1.1 –', '. 1.1 1.1 –', '3 1.1 1.1 –'],
      ],
    ],
  ])('%s', (prompt, expected) => {
    expect(lines(read(prompt))).toEqual(expected);
  });
});

test('recorded prompts of every language are read and compared', () => {
  const prompts = new Set([...a1111Recorded, ...comfyRecorded, ...compelRecorded].map(({ prompt }) => prompt));
  for (const prompt of prompts) {
    const study = read(prompt);
    for (const syntax of syntaxes) {
      const { tokens } = study.readings[syntax];
      // Every token has a row, in order.
      expect(
        study.rows.flatMap((row) => row[syntax] ?? []),
        prompt,
      ).toEqual(tokens);
    }
    for (const row of study.rows) expect(new Set(Object.values(row).map(({ id }) => id)).size, prompt).toBe(1);
    for (const pair of pairs) {
      const { shared, only } = comparePair(study, pair);
      for (const side of [0, 1] as const)
        expect(shared.length + only[side].length, prompt).toBe(study.readings[pair[side]].tokens.length);
      const compared = difference(study, pair);
      for (const sentence of [
        ...pairSentences(study, pair, label),
        ...differenceSentences(study, pair, compared, label),
      ])
        expect(sentence, prompt).toMatch(/^[^.]/);
    }
  }
});

describe('in words', () => {
  const long = Array.from({ length: 80 }, () => 'cat').join(' ');
  test.each<[string, ProgramPair, string[]]>([
    ['', ['a1111', 'comfy'], ['A1111 and ComfyUI both read the empty prompt.']],
    ['a cat', ['a1111', 'comfy'], ['A1111 and ComfyUI read the same 2 tokens, all with the same weight.']],
    [
      'a (red:1.3) [blurry] car',
      ['a1111', 'comfy'],
      [
        'A1111 reads 4 tokens and ComfyUI 6; 4 are the same; they weigh 1 of them differently, “blurry” 0.9091 against 1.',
        'Only ComfyUI reads “[” and “]”.',
      ],
    ],
    [
      'a (red:1.3) [blurry] car',
      ['a1111', 'compel'],
      [
        'A1111 reads 4 tokens and Compel 10; 4 are the same; they weigh 2 of them differently, “red” 1.3 against 1 and “blurry” 0.9091 against 1.',
        'Only Compel reads “:1.3 [” and “]”.',
      ],
    ],
    [
      '((a:1.2) b:1.1)',
      ['a1111', 'comfy'],
      ['A1111 and ComfyUI read the same 2 tokens; they weigh 1 of them differently, “a” 1.32 against 1.2.'],
    ],
    [
      '(red)++',
      ['comfy', 'compel'],
      [
        'ComfyUI reads 2 tokens and Compel 1; 1 is the same; they weigh 1 of them differently, “red” 1.1 against 1.21.',
        'Only ComfyUI reads “++”.',
      ],
    ],
    [
      'a cat BREAK a dog',
      ['a1111', 'comfy'],
      [
        'A1111 reads 4 tokens and ComfyUI 5; 4 are the same, all with the same weight.',
        'Only ComfyUI reads “BREAK”.',
        'A1111 encodes this as 2 chunks, ComfyUI as one chunk.',
      ],
    ],
    [
      'a {water}proof cat // red',
      ['a1111', 'comfy'],
      [
        'A1111 reads 8 tokens and ComfyUI 3; 2 are the same, all with the same weight.',
        'Only A1111 reads “{water}proof” and “// red”.',
        'Only ComfyUI reads “waterproof”.',
      ],
    ],
    [
      'a cat AND a dog',
      ['a1111', 'comfy'],
      [
        'A1111 reads 4 tokens and ComfyUI 5; 4 are the same, all with the same weight.',
        'Only ComfyUI reads “AND”.',
        'A1111 encodes this as 2 texts in 2 chunks (composed while sampling), ComfyUI as one chunk.',
      ],
    ],
    [
      '("a cat", "a dog").blend(0.7, 0.3)',
      ['a1111', 'compel'],
      [
        'A1111 reads 17 tokens and Compel 4; 4 are the same; they weigh 4 of them differently, “a cat” 1.1 against 1 and “a dog” 1.1 against 1.',
        'Only A1111 reads “"”, “", "” and “" .blend 0.7, 0.3”.',
        'A1111 encodes this as one chunk, Compel as 2 texts in 2 chunks (blended row by row).',
      ],
    ],
    [
      long,
      ['a1111', 'compel'],
      [
        'A1111 and Compel read the same 80 tokens, all with the same weight.',
        'Compel cuts off 5 tokens, from “cat” on.',
        'A1111 encodes this as 2 chunks, Compel as one chunk.',
      ],
    ],
    [long, ['a1111', 'comfy'], ['A1111 and ComfyUI read the same 80 tokens, all with the same weight.']],
  ])('%s, %j', (prompt, pair, expected) => {
    expect(pairSentences(read(prompt), pair, label)).toEqual(expected);
  });
});

describe('in numbers', () => {
  const pair: ProgramPair = ['a1111', 'comfy'];

  test('the same reading by the same formula is the same numbers', () => {
    const study = read('a cat');
    const compared = difference(study, pair);
    expect(compared).toMatchObject({ relative: 0, cosine: 1, padding: 0 });
    expect(compared.tokens.map(({ at, relative }) => [at, relative])).toEqual([
      [0, 0],
      [1, 0],
    ]);
    expect(differenceSentences(study, pair, compared, label)).toEqual([
      'The rows of the tokens that both encode are the same numbers, to the last bit.',
    ]);
  });

  test('each token is compared with itself wherever it stands', () => {
    const study = read('[blurry] car');
    const [[a], [b]] = pair.map((syntax) => promptEmbeds(study.readings[syntax].prepared, fakeZ, ownMethod[syntax]));
    const { tokens } = difference(study, pair);
    // A1111: BOS blurry car; ComfyUI: BOS [ blurry ] car.
    expect(differenceSentences(study, pair, difference(study, pair), label)).toEqual([
      expect.stringMatching(
        /^Where both have a token, the numbers differ by [\d.]+ % of their length \(mean cosine -?0\.\d{4}\), most at “\w+”, by [\d.]+ %\.$/,
      ),
      expect.stringMatching(/^At EOS and the padding, which the U-Net reads too, they differ by [\d.]+ %\.$/),
    ]);
    expect(tokens.map(({ at }) => label(study.rows[at].a1111!.token))).toEqual(['blurry', 'car']);
    for (const [i, [rowA, rowB]] of [
      [1, 2],
      [2, 4],
    ].entries()) {
      const [x, y] = [a.subarray(rowA * d, (rowA + 1) * d), b.subarray(rowB * d, (rowB + 1) * d)];
      expect(tokens[i].distance).toBeCloseTo(Math.hypot(...x.map((value, k) => y[k] - value)), 5);
      expect(tokens[i].relative).toBeCloseTo(tokens[i].distance / Math.hypot(...x), 5);
    }
  });

  test('what Compel cuts off has no numbers, and parts of an AND are found in their own conditionings', () => {
    const study = read(`${Array.from({ length: 80 }, (_, i) => (i === 79 ? 'dog' : 'cat')).join(' ')}`);
    expect(difference(study, ['a1111', 'compel']).tokens).toHaveLength(75);
    const parts = read('a cat AND a dog');
    const [[, second], [whole]] = pair.map((syntax) =>
      promptEmbeds(parts.readings[syntax].prepared, fakeZ, ownMethod[syntax]),
    );
    const { tokens, padding } = difference(parts, pair);
    const dog = [second.subarray(2 * d, 3 * d), whole.subarray(5 * d, 6 * d)];
    expect(tokens[3].distance).toBeCloseTo(Math.hypot(...dog[0].map((value, k) => dog[1][k] - value)), 5);
    expect(padding).toBeNaN();
  });
});

test('a textual inversion is the same in every program that knows it by the name typed', () => {
  const vectors = [new Float32Array(d).fill(1), new Float32Array(d).fill(2)];
  const study = readPrograms('myemb cat', defaultOptions, tokenizer, 'positive', [{ name: 'myemb', vectors }]);
  const [a1111, comfy] = (['a1111', 'comfy'] as const).map((syntax) =>
    study.readings[syntax].tokens.map(({ id }) => id),
  );
  expect(a1111.slice(0, 2)).toEqual([-1, -2]);
  expect(comfy).not.toContain(-1);
  expect(pairSentences(study, ['a1111', 'comfy'], ({ vector, text }) => vector?.name ?? text)[0]).toContain(
    '1 is the same',
  );
});
