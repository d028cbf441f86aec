import { beforeAll, describe, expect, test } from 'vitest';
import { clipTiny } from '../../clip/config.ts';
import type { ZOf } from '../../weighting/method.ts';
import { ownMethod } from '../../weighting/methods.ts';
import { defaultOptions, type PromptOptions } from '../options.ts';
import { preparePrompt, promptConditionings } from '../pipeline.ts';
import { referenceZ } from '../testing/encodings.ts';
import { tokenizer } from '../testing/prompts.ts';
import { type AnswerInput, answer } from './answer.ts';
import { type SentenceKind, sentenceKinds } from './sentence.ts';

const d = clipTiny.hiddenSize;
const L = 77;
let zOf: ZOf;
beforeAll(async () => {
  zOf = (await referenceZ(clipTiny))(1);
});

function inputOf(prompt: string, some: Partial<PromptOptions>, isEncoded = true): AnswerInput {
  const syntax = some.syntax ?? 'a1111';
  const options = { ...defaultOptions, syntax, weighting: ownMethod[syntax], ...some };
  const prepared = preparePrompt(prompt, options, tokenizer);
  return {
    prepared,
    options,
    tokenizer,
    side: 'positive',
    embeddings: [],
    embeds: isEncoded
      ? {
          weighted: promptConditionings(prepared, zOf, options.weighting),
          unweighted: promptConditionings(prepared, zOf, 'none'),
          d,
        }
      : null,
    model: isEncoded ? { name: 'synthetic-tiny', isRandom: true } : null,
    layers: clipTiny.numHiddenLayers,
    hindrance: 'this browser offers no WebGPU.',
  };
}

const textsOf = (input: AnswerInput, kinds: readonly SentenceKind[]) =>
  answer(input).flatMap(({ kind, text }) => (kinds.includes(kind) ? [text] : []));

test('of a small model one sentence says which words it has never learnt', () => {
  const knownIds = new Set([49406, 49407, 320, 736]);
  const input = { ...inputOf('a red dragon', {}), model: { name: 'small', isRandom: false, knownIds } };
  expect(textsOf(input, ['model'])).toEqual([
    'The numbers are those of a small model of coloured shapes (small), not Stable Diffusion’s.',
    'This model knows 4 tokens, those of its world of coloured shapes; “dragon” is not in its world: it stands for some word that it never learnt.',
  ]);
});

describe('what the weights did', () => {
  test.each<[string, Partial<PromptOptions>, readonly (string | RegExp)[]]>([
    [
      'a photo of a (red:1.3) car, [blurry] background',
      {},
      [
        '“red” (weight 1.3) grows by 29.7 %, in the same direction.',
        '“blurry” (weight 0.9091) shrinks by 9.34 %, in the same direction.',
        'The other 75 rows, of weight 1, shrink by 0.269 %, BOS, EOS and PAD too, because “A1111 Original” restores the mean over each chunk.',
      ],
    ],
    [
      'a (red:1.3) car',
      { weighting: 'none' },
      [
        '“A1111 Ignore” applies no weights, so those typed here change nothing: choose another way under Weighting, such as “A1111 Original”.',
      ],
    ],
    [
      'a (red:1.3) car',
      { brackets: 'text' },
      [
        'Brackets are encoded as they are and weigh nothing, as by A1111’s emphasis “None”: choose “Are weights” under Brackets to have them weigh.',
        'No word has a weight, so every row is as the encoder gives it.',
      ],
    ],
    [
      'a (red:1.3) car',
      { weighting: 'scale' },
      [
        '“red” (weight 1.3) grows by 30 %, in the same direction.',
        'The other 76 rows stay exactly as the encoder gives them.',
      ],
    ],
    [
      'a (red:0) car',
      { weighting: 'scale' },
      [
        '“red” (weight 0) becomes 0 in all its dimensions.',
        'The other 76 rows stay exactly as the encoder gives them.',
      ],
    ],
    [
      'a (red:-60) car',
      {},
      [
        '“red” (weight −60) grows to 253 times its length and points in the opposite direction.',
        /^The other 76 rows, of weight 1, grow by 322 %, BOS, EOS and PAD too/,
      ],
    ],
    [
      'a (red:0) car',
      { syntax: 'comfy' },
      [
        /^“red” \(weight 0\) moves by 97\.2 % of its length: it grows by 0\.728 % and turns by 57\.9° \(cosine 0\.5307\)\.$/,
        'The other 76 rows stay exactly as the encoder gives them.',
      ],
    ],
    [
      'a (red:inf) car',
      { syntax: 'comfy' },
      [
        '“red” (weight ∞) gets values that are infinite or no numbers, of which no picture can be made.',
        'The other 76 rows stay exactly as the encoder gives them.',
      ],
    ],
    [
      'a (red:inf) car',
      { syntax: 'comfy', weighting: 'original' },
      [
        '“red” (weight ∞) gets values that are infinite or no numbers, of which no picture can be made.',
        'The other 76 rows, of weight 1, get values that are infinite or no numbers, of which no picture can be made too, because “A1111 Original” restores the mean over each chunk.',
      ],
    ],
    ['a red car', {}, ['No word has a weight, so every row is as the encoder gives it.']],
    ['', {}, []],
    [
      'a (red)1.3 (car)0.5',
      { syntax: 'compel' },
      [
        /^“red” \(weight 1\.3\) moves by 29\.2 % of its length/,
        /^“car” \(weight 0\.5\) moves by 52\.4 % of its length/,
        'Of the other 75 rows, of weight 1, 73 move too, by 12.5 % of the length of all, because “Compel” mixes in encodings of the prompt without some of its words.',
      ],
    ],
    [
      '("a cat", "a (dog)1.5").blend(0.5, 0.7)',
      { syntax: 'compel' },
      [/^“dog” \(weight 1\.5\) moves by 31\.4 %/, 'The other 76 rows stay exactly as the encoder gives them.'],
    ],
    [
      '("a cat", "a (dog)1.5").and()',
      { syntax: 'compel' },
      [/^“dog” \(weight 1\.5\) moves by 51\.1 %/, 'The other 153 rows stay exactly as the encoder gives them.'],
    ],
    [
      'a cat AND (dog:1.2)',
      {},
      [/^“dog” \(weight 1\.2\) grows by 19\.7 %/, /^The other 76 rows of chunk 2, of weight 1, shrink by 0\.262 %/],
    ],
    ['[(red:1.3):blue:5] car', { step: 20 }, [/^The other 77 rows, of weight 1, shrink by 0\.196 %/]],
    [
      'a (cat:1.3) BREAK a dog',
      {},
      [/^“cat” \(weight 1\.3\) grows by 29\.5 %/, /^The other 76 rows of chunk 1, of weight 1, shrink by 0\.406 %/],
    ],
    [
      'a (red car:1.5)',
      { weighting: 'comfy', normalisation: 'length' },
      [/^“red car” \(weight 1\.5, applied as 1\.354, 2 tokens\) moves by/, /^The other 75 rows stay/],
    ],
    [
      '(a:1.1) (b:1.2) (c:1.3) (e:1.4) (f:1.5) (g:1.6) (h:1.7) (i:1.8)',
      { weighting: 'scale' },
      [
        ...['c', 'e', 'f', 'g', 'h', 'i'].map((word) => new RegExp(`^“${word}”.* grows by`)),
        '2 more texts with a weight move less.',
        /^The other 69 rows stay/,
      ],
    ],
  ])('%s with %o', (prompt, options, expected) => {
    const texts = textsOf(inputOf(prompt, options), ['weights', 'rest']);
    expect(texts).toHaveLength(expected.length);
    texts.forEach((text, i) => {
      if (typeof expected[i] === 'string') expect(text).toBe(expected[i]);
      else expect(text).toMatch(expected[i]);
    });
  });
});

test.each<[string, Partial<PromptOptions>, number, number]>([
  ['a photo of a (red:1.3) car', {}, 5, 75],
  ['a photo of a (red:-0.4) car', {}, 5, 75],
  ['a photo of a (red:1.3) car', { weighting: 'comfy' }, 5, 75],
  ['a (red)1.3 car', { syntax: 'compel' }, 2, 75],
  ['a (red)0.6 car', { syntax: 'compel' }, 2, 75],
  ['a (red:2) car', { weighting: 'adv-a1111' }, 2, 75],
  ['a (red:2) car', { weighting: 'adv-down-weight' }, 2, 75],
])('%s with %o: the numbers are those of the rows of promptConditionings, in float64', (prompt, options, row) => {
  const input = inputOf(prompt, options);
  const [z, w] = [input.embeds!.unweighted[0], input.embeds!.weighted[0]].map(({ rowsOf }) => rowsOf(0));
  const dot = (a: Float32Array, b: Float32Array, at: number) =>
    Array.from({ length: d }, (_, i) => a[at * d + i] * b[at * d + i]).reduce((sum, value) => sum + value, 0);
  const lengthRatio = Math.sqrt(dot(w, w, row) / dot(z, z, row));
  const cosine = dot(w, z, row) / Math.sqrt(dot(w, w, row) * dot(z, z, row));
  const moved = Math.sqrt((dot(w, w, row) - 2 * dot(w, z, row) + dot(z, z, row)) / dot(z, z, row));
  const [[, ...numbers]] = answer(input).map(({ numbers }) => numbers);
  if (Math.abs(cosine) > 1 - 1e-6) {
    expect(numbers).toEqual([expect.closeTo(lengthRatio - 1, 9)]);
    // The rows of weight 1 are multiplied by the ratio of means, which is known in float64 from the rows themselves.
    const mean = (a: Float32Array) => a.reduce((sum, value) => sum + value, 0);
    const weight = input.prepared.texts[0].applied[0][row];
    const raw = Float32Array.from(z, (value, i) => (Math.floor(i / d) === row ? weight * value : value));
    const { numbers: rest } = answer(input).find(({ kind }) => kind === 'rest')!;
    expect(rest).toEqual([L - 1, expect.closeTo(Math.abs(mean(z) / mean(raw)) - 1, 5)]);
  } else {
    const degrees = (Math.acos(cosine) * 180) / Math.PI;
    expect(numbers).toEqual([moved, lengthRatio - 1, degrees, cosine].map((value) => expect.closeTo(value, 6)));
  }
});

test('attention: after which layer weights act, and what is read besides', () => {
  const attention = (prompt: string, options: Partial<PromptOptions>) =>
    textsOf({ ...inputOf(prompt, options), layers: 12 }, ['attention']);
  const stays = (layer: number) =>
    `Attention does not change with a weight: weights act on what comes out of the encoder, after layer ${layer}.`;
  expect(attention('a (red:1.3) car', {})).toEqual([stays(12)]);
  expect(attention('a (red:1.3) car', { weighting: 'none' })).toEqual([stays(12)]);
  expect(textsOf({ ...inputOf('a (red:1.3) car', { clipSkip: 2 }, false), layers: 12 }, ['attention'])).toEqual([
    stays(11),
  ]);
  expect(attention('a red car', {})).toEqual([]);
  expect(attention('a (red:1.3) car', { syntax: 'comfy' })).toEqual([
    `${stays(12)} To weigh, “ComfyUI” reads 1 more encoding (of an empty prompt, of this one without some words, or of another step), whose attention is not shown.`,
  ]);
});

describe('what is cut, and where chunks part', () => {
  const long = `${'cat '.repeat(70)}, ${'dog '.repeat(20)}`;
  test.each<[string, Partial<PromptOptions>, readonly string[]]>([
    ['a red car', {}, ['Nothing is cut: 3 tokens of the 75 that fit into a chunk.']],
    ['', {}, ['The prompt is empty: the encoder gets BOS, EOS and PAD alone.']],
    [
      'a cat BREAK in the snow',
      {},
      [
        'Nothing is cut: 5 tokens in 2 chunks, each encoded by itself: no word of one attends to a word of another.',
        'Chunk 2 begins at “in”, after BREAK.',
      ],
    ],
    [
      long,
      {},
      [
        'Nothing is cut: 91 tokens in 2 chunks, each encoded by itself: no word of one attends to a word of another.',
        'Chunk 2 begins at “dog”, so that words stay together.',
      ],
    ],
    [
      'cat '.repeat(80),
      {},
      [
        'Nothing is cut: 80 tokens in 2 chunks, each encoded by itself: no word of one attends to a word of another.',
        'Chunk 2 begins at “cat”, where the one before is full.',
      ],
    ],
    [
      `${'cat '.repeat(75)}photorealistic ${'dog '.repeat(14)}`,
      { syntax: 'compel' },
      ['The last 16 tokens do not fit into the 75 of a chunk and have no effect, from “photorealistic” on.'],
    ],
    [
      `${'cat '.repeat(75)}dog`,
      { syntax: 'compel' },
      ['The last token does not fit into the 75 of a chunk and has no effect, from “dog” on.'],
    ],
    [
      'a cat AND a dog :0.5',
      {},
      [
        'Nothing is cut: 4 tokens in 2 chunks, each encoded by itself: no word of one attends to a word of another.',
        '2 texts of AND are encoded apart, and the sampler adds up what the U-Net makes of each, by guidance 1 and 0.5.',
      ],
    ],
    [
      '("a cat", "a dog").blend(0.5, 0.7)',
      { syntax: 'compel' },
      [
        'Nothing is cut: 4 tokens in 2 chunks, each encoded by itself: no word of one attends to a word of another.',
        '2 texts of .blend() are encoded apart, and their rows are added up, times 0.5 and 0.7.',
      ],
    ],
    [
      '[red:blue:5] car',
      {},
      [
        'Nothing is cut: 2 tokens of the 75 that fit into a chunk.',
        'The prompt changes on the way: 2 different texts in 20 steps. All that stands here is about step 1.',
      ],
    ],
  ])('%s with %o', (prompt, options, expected) => {
    expect(textsOf(inputOf(prompt, options, false), ['chunks'])).toEqual(expected);
  });
});

test.each<[string, Partial<PromptOptions>, readonly string[]]>([
  [
    'a (red:1.3) car, [blurry] background',
    {},
    [
      'Compel would read “(”, “:1.3)”, “[” and “]” as text and weigh “red” 1 instead of 1.3 and “blurry” 1 instead of 0.9091: 6 more tokens.',
      'ComfyUI would read “[” and “]” as text and weigh “blurry” 1 instead of 0.9091: 2 more tokens.',
    ],
  ],
  ['a red car', {}, ['Compel would read the same.', 'ComfyUI would read the same.']],
  ['', {}, []],
  [
    'a (red)1.3 car',
    { syntax: 'compel' },
    [
      'A1111 would read “1.3” as text and weigh “red” 1.1 instead of 1.3: 3 more tokens.',
      'ComfyUI would read “1.3” as text and weigh “red” 1.1 instead of 1.3: 3 more tokens.',
    ],
  ],
  [
    'a (red:1.3) car',
    { syntax: 'comfy' },
    [
      'A1111 would read the same, and weigh each row z by another formula, z″ = w · z · mean(z) / mean(z′).',
      'Compel would read “(” and “:1.3)” as text and weigh “red” 1 instead of 1.3: 4 more tokens.',
    ],
  ],
  [
    'cat '.repeat(90),
    { syntax: 'compel' },
    [
      'A1111 would read the same words and weights: 2 chunks instead of 1, nothing cut off.',
      'ComfyUI would read the same words and weights: 2 chunks instead of 1, nothing cut off.',
    ],
  ],
  [
    'a cat BREAK a dog',
    {},
    [
      'Compel would read “BREAK” as text: 1 more token, 1 chunk instead of 2.',
      'ComfyUI would read “BREAK” as text: 1 more token, 1 chunk instead of 2.',
    ],
  ],
])('other programs: %s with %o', (prompt, options, expected) => {
  expect(textsOf(inputOf(prompt, options, false), ['programs'])).toEqual(expected);
});

test('what looks like a mistake leads to its place in the prompt', () => {
  const prompt = 'a (red:1,3) car';
  const [mistake] = answer(inputOf(prompt, {}, false)).filter(({ kind }) => kind === 'mistakes');
  expect(mistake.text).toContain('“1,3” is not a number');
  expect(mistake.lead).toMatchObject({ view: 'prompt', range: { end: prompt.indexOf(')') } });
  expect(textsOf(inputOf('(cat:2)', { weighting: 'none' }), ['mistakes'])).toEqual([]);
});

test('without an encoder there are words, and no numbers of rows', () => {
  expect(textsOf(inputOf('a (red:1.3) [car]', {}, false), ['weights', 'rest', 'model'])).toEqual([
    '“red” (weight 1.3) is weighed.',
    '“car” (weight 0.9091) is weighed.',
    'By “A1111 Original” their rows become z″ = w · z · mean(z) / mean(z′).',
    'No numbers yet: this browser offers no WebGPU.',
  ]);
});

test('the model is named for what it is', () => {
  const input = inputOf('a cat', {});
  expect(textsOf(input, ['model'])[0]).toContain('are made up: the numbers show how weighing works');
  expect(textsOf({ ...input, model: { name: 'sd15.safetensors', isRandom: false } }, ['model'])).toEqual([
    'The numbers are those of sd15.safetensors.',
  ]);
});

test('a weighted word leads to its row, in its chunk', () => {
  const { lead } = answer(inputOf('a cat BREAK a (dog:1.2)', {})).find(({ text }) => text.startsWith('“dog”'))!;
  expect(lead).toEqual({ view: 'weights', chunk: 1, row: 2 });
});

test('sentences stand in the order of their kinds', () => {
  const kinds = answer(inputOf('a (red:1,3) (car:1.2) BREAK dog', {})).map(({ kind }) => sentenceKinds.indexOf(kind));
  expect(kinds).toEqual(kinds.toSorted((a, b) => a - b));
});

test('a step whose text is shorter than another’s is completed with the empty prompt, before weighting too', () => {
  const sentences = textsOf(inputOf(`[a (red:1.3) car:${'a cat on grass, '.repeat(30)}:0.9]`, { step: 1 }), [
    'weights',
    'rest',
  ]);
  expect(sentences[0]).toContain('“red” (weight 1.3)');
  expect(sentences.join(' ')).not.toContain('infinite');
});
