import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { maskModes } from '../clip/masks.ts';
import type { Side } from '../prompt/side.ts';
import { syntaxes } from '../prompt/syntax.ts';
import fc from '../properties.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { type MethodName, methods } from '../weighting/methods.ts';
import { defaultOptions, type PromptOptions } from './options.ts';
import { preparePrompt, promptEmbeds, promptPasses } from './pipeline.ts';
import { withPasses } from './testing/encodings.ts';
import { d, fakeZ } from './testing/prompts.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
const prepare = (prompt: string, options: Partial<PromptOptions> = {}, side: Side = 'positive') =>
  preparePrompt(prompt, { ...defaultOptions, ...options }, tokenizer, side);
const words = ({ chunks }: ReturnType<typeof prepare>) =>
  chunks.map(({ chunk }) => chunk.tokens.filter(({ kind }) => kind === 'text').map(({ text }) => text.slice(0, -4)));
const names = Object.keys(methods) as MethodName[];

test.each(syntaxes.flatMap((syntax) => names.map((name) => [syntax, name] as const)))(
  '%s, %s: a prompt without weights is the bare encoder output',
  (syntax, weighting) => {
    const prepared = prepare('a photo of a cat', { syntax, weighting });
    expect(promptEmbeds(prepared, fakeZ, weighting)).toEqual([fakeZ(prepared.chunks[0].pass)]);
    expect(promptPasses(prepared, weighting)).toHaveLength(1);
  },
);

test('a weight changes the weights and nothing of what is encoded', () => {
  const plain = prepare('a photo of a (cat:1)');
  fc.assert(
    fc.property(fc.integer({ min: -300, max: 300 }), fc.constantFrom(...maskModes), (hundredths, mask) => {
      const weight = hundredths / 100;
      const { chunks } = prepare(`a photo of a (cat:${weight})`, { mask });
      expect(chunks).toHaveLength(1);
      expect(Array.from(chunks[0].chunk.perTokenWeights.subarray(0, 7))).toEqual([1, 1, 1, 1, 1, weight, 1]);
      expect(chunks[0].pass.inputIds).toEqual(plain.chunks[0].pass.inputIds);
    }),
  );
});

test('ranges lead back to what was typed', () => {
  const prompt = 'a (red\\(ish\\):1.3) car';
  const { tokens } = prepare(prompt).chunks[0].chunk;
  const typed = tokens.flatMap(({ range }) => (range ? [prompt.slice(range.start, range.end)] : []));
  expect(typed).toEqual(['a', 'red', '\\(', 'ish', '\\)', 'car']);
});

test('an EOS that was typed is not the end for the hf mask', () => {
  const [{ chunk, pass }] = prepare('a <|endoftext|> cat', { mask: 'hf' }).chunks;
  const eos = chunk.tokens.findIndex((token) => token.kind === 'eos');
  expect(eos).toBe(4);
  expect(pass.keyMask.indexOf(0)).toBe(eos + 1);
});

test.each(syntaxes)('an empty prompt is one chunk of BOS, EOS and padding: %s', (syntax) => {
  const { chunks, texts, diagnostics } = prepare('', { syntax });
  expect(chunks).toHaveLength(1);
  expect(chunks[0].chunk.tokens.slice(0, 3).map((token) => token.kind)).toEqual(['bos', 'eos', 'pad']);
  expect(texts[0]).toMatchObject({ cut: [], tokenCount: 0, target: 75 });
  expect(diagnostics.filter(({ code }) => code !== 'nothing-to-encode')).toEqual([]);
});

describe('A1111', () => {
  test('a long prompt is several chunks, split at a comma that is near', () => {
    const prompt = `${'cat '.repeat(70)}, ${'dog '.repeat(10)}`;
    const counts = (options = {}) => words(prepare(prompt, options)).map((chunk) => chunk.length);
    expect(counts()).toEqual([71, 10]);
    expect(counts({ commaPaddingBacktrack: 0 })).toEqual([75, 6]);
    const { texts } = prepare(prompt);
    expect(texts[0]).toMatchObject({ tokenCount: 75 + 10, target: 150, cut: [] });
    const [embeds] = promptEmbeds(prepare(prompt), fakeZ, 'none');
    expect(embeds).toHaveLength(2 * 77 * d);
  });

  test('BREAK begins a chunk', () => {
    expect(words(prepare('a cat BREAK a dog'))).toEqual([
      ['a', 'cat'],
      ['a', 'dog'],
    ]);
  });

  test('AND makes conditionings of their own, in a positive prompt', () => {
    const prompt = 'a cat :1.2 AND a dog BREAK grass';
    const { texts, chunks, conditionings } = prepare(prompt);
    expect(texts.map(({ operator, weight }) => [operator, weight])).toEqual([
      ['AND', 1.2],
      ['AND', 1],
    ]);
    expect(chunks.map(({ text, index }) => [text, index])).toEqual([
      [0, 0],
      [1, 0],
      [1, 1],
    ]);
    expect(conditionings.map(({ weight }) => weight)).toEqual([1.2, 1]);
    expect(promptEmbeds(prepare(prompt), fakeZ, 'original').map((embeds) => embeds.length / 77 / d)).toEqual([1, 2]);
    expect(prepare(prompt, {}, 'negative').texts).toHaveLength(1);
  });

  test('before 1.6, a number with a point is a step from 1 up', () => {
    const at = (step: number, timeline: PromptOptions['timeline']) =>
      words(prepare('a [cat:dog:1.5]', { steps: 10, step, timeline }))[0][1];
    expect([at(3, 'before-1.6'), at(3, 'since-1.6')]).toEqual(['dog', 'cat']);
  });

  test('the text of the step is encoded, and the others are inactive', () => {
    const prompt = 'a [cat:dog:0.5] on [grass|sand]';
    const at = (step: number) => prepare(prompt, { steps: 10, step });
    expect([1, 2, 6, 7, 10].map((step) => words(at(step))[0].join(' '))).toEqual([
      'a cat on grass',
      'a cat on grass',
      'a cat on grass',
      'a dog on sand',
      'a dog on grass',
    ]);
    const inactive = (step: number) => at(step).inactive.map(({ start, end }) => prompt.slice(start, end));
    expect(inactive(1)).toEqual(['[', ':dog:0.5]', '[', '|sand]']);
    expect(inactive(7)).toEqual(['[cat:', ':0.5]', '[grass|', ']']);
    expect(at(1).texts[0].steps).toHaveLength(10);
  });

  test('networks and comments are taken out and named', () => {
    const { networks, chunks, nodes } = prepare('a cat <lora:fur:0.8> # soft\non grass');
    expect(networks.map(({ kind, name, args }) => [kind, name, args])).toEqual([['lora', 'fur', ['fur', '0.8']]]);
    expect(nodes.some(({ type }) => type === 'comment')).toBe(true);
    expect(chunks[0].chunk.tokens.filter(({ kind }) => kind === 'text')).toHaveLength(4);
  });

  test('brackets can be text, as with the emphasis mode None', () => {
    const { chunks } = prepare('a (cat:1.5)', { brackets: 'text' });
    expect(chunks[0].chunk.perTokenWeights.every((weight) => weight === 1)).toBe(true);
    expect(chunks[0].chunk.tokens[2].text).toBe('(</w>');
  });
});

describe('Compel', () => {
  const syntax = 'compel';

  test('what does not fit is cut off, counted and shown, unless it is split', () => {
    const prompt = `${'cat '.repeat(74)}(cat dog bird)1.2`;
    const { texts, diagnostics } = prepare(prompt, { syntax });
    expect(texts[0].cut.map(({ text }) => text)).toEqual(['dog</w>', 'bird</w>']);
    const [warning] = diagnostics;
    expect(warning).toMatchObject({ code: 'tokens-cut', severity: 'warning' });
    expect(warning.message).toContain('75 tokens');
    expect(warning.message).toContain('last 2 tokens are');
    expect(prompt.slice(warning.start, warning.end)).toBe('dog bird');
    expect(prepare('cat '.repeat(76), { syntax }).diagnostics[0].message).toContain('the last token is');
    const split = prepare(prompt, { syntax, split: 'BRUTAL' });
    expect(split.chunks).toHaveLength(2);
    expect(split.diagnostics).toEqual([]);
  });

  test('the parts of .and() follow each other in one conditioning', () => {
    const prepared = prepare('("a cat", "a dog").and(1, 0.5)', { syntax });
    expect(prepared.texts.map(({ operator, weight }) => [operator, weight])).toEqual([
      ['and', 1],
      ['and', 0.5],
    ]);
    const embeds = promptEmbeds(prepared, fakeZ, 'compel-mask');
    expect(embeds.map(({ length }) => length)).toEqual([2 * 77 * d]);
    expect(embeds[0].subarray(0, 77 * d)).toEqual(fakeZ(prepared.chunks[0].pass));
  });

  test('a blend is a mean', () => {
    const prepared = prepare('("a cat", "a dog").blend(1, 3)', { syntax });
    expect(prepared.texts.map(({ operator, weight }) => [operator, weight])).toEqual([
      ['blend', 1],
      ['blend', 3],
    ]);
    expect(prepared.diagnostics.map(({ code }) => code)).toEqual(['blend-of-2.2.1']);
    const [a, b] = prepared.chunks.map(({ pass }) => fakeZ(pass));
    const [embeds] = promptEmbeds(prepared, fakeZ, 'compel-mask');
    expect(embeds).toEqual(a.map((value, i) => (value + 3 * b[i]) / 4));
  });

  test('down-weighting asks for the prompt without the words', () => {
    const prepared = prepare('a (cat)0.5', { syntax });
    expect(promptPasses(prepared, 'compel-mask')).toHaveLength(3);
    expect(promptPasses(prepared, 'scale')).toHaveLength(1);
  });
});

describe('ComfyUI', () => {
  test('inner weights are absolute', () => {
    const { chunks } = prepare('(a (cat:2):3)', { syntax: 'comfy' });
    expect(Array.from(chunks[0].chunk.perTokenWeights.subarray(1, 3))).toEqual([3, 2]);
  });

  test('embeddings are named', () => {
    expect(prepare('a embedding:bad_hands, (cat embedding:x:1.2)', { syntax: 'comfy' }).networks).toHaveLength(2);
  });
});

describe('textual inversions', () => {
  const vectors = [Float32Array.of(1, 2, 3), Float32Array.of(4, 5, 6)];
  const embeddings = [{ name: 'easynegative', vectors }];
  const named = (prompt: string, options: Partial<PromptOptions> = {}) =>
    preparePrompt(prompt, { ...defaultOptions, ...options }, tokenizer, 'positive', embeddings);
  const rows = ({ chunks }: ReturnType<typeof named>) => chunks.map(({ pass }) => [...(pass.vectors?.keys() ?? [])]);

  test('A1111: the name’s tokens become placeholders, and the vectors take their rows', () => {
    const prepared = named('a (EasyNegative:1.2) house');
    const [{ chunk, pass }] = prepared.chunks;
    expect([...chunk.inputIds.slice(0, 6)]).toEqual([49406, 320, 0, 0, 1212, 49407]);
    expect(pass.vectors).toEqual(
      new Map([
        [2, vectors[0]],
        [3, vectors[1]],
      ]),
    );
    expect(Array.from(chunk.perTokenWeights.subarray(1, 5))).toEqual([1, 1.2, 1.2, 1]);
    expect(chunk.tokens.slice(1, 5).map(({ vector }) => vector)).toEqual([
      undefined,
      { name: 'easynegative', index: 0 },
      { name: 'easynegative', index: 1 },
      undefined,
    ]);
    expect(prepared.networks).toMatchObject([{ kind: 'embedding', name: 'easynegative', start: 3, end: 15 }]);
    expect(prepare('a (EasyNegative:1.2) house').chunks[0].pass.vectors).toBeUndefined();
  });

  test('A1111: where a comma moves the placeholders on, the vectors stay behind', () => {
    const prepared = named(`${'cat '.repeat(60)}, dog easynegative ${'house '.repeat(14)}`);
    expect(rows(prepared)).toEqual([[63, 64], []]);
    expect([...prepared.chunks[1].chunk.inputIds.slice(0, 5)]).toEqual([49406, 1929, 0, 0, 1212]);
  });

  test('ComfyUI: embedding:name', () => {
    expect(rows(named('a embedding:easynegative house', { syntax: 'comfy' }))).toEqual([[2, 3]]);
    const unknown = named('a embedding:other house', { syntax: 'comfy' });
    expect(rows(unknown)).toEqual([[]]);
    expect(unknown.diagnostics.map(({ code }) => code)).toEqual(['unknown-embedding']);
  });

  const compel = (prompt: string, options: Partial<PromptOptions> = {}) =>
    preparePrompt(
      prompt,
      { ...defaultOptions, syntax: 'compel', weighting: 'compel-mask', ...options },
      tokenizer,
      'positive',
      [
        { name: 'learned_embeds', trainedAs: '<cat-toy>', vectors },
        { name: 'learned_embeds-2', trainedAs: '<cat-toy>', vectors: vectors.toReversed() },
      ],
    );

  test('Compel: the token in the file stands for its vectors, also in a word, and weighs as its fragment', () => {
    const prompt = 'a (my<cat-toy>)1.2 learned_embeds';
    const { chunks, networks, diagnostics } = compel(prompt);
    const [{ chunk, pass }] = chunks;
    expect([...chunk.inputIds.slice(0, 6)]).toEqual([49406, 320, 607, 0, 0, 6048]);
    expect(pass.vectors).toEqual(new Map([3, 4].map((row, i) => [row, vectors[i]])));
    expect(Array.from(chunk.perTokenWeights.subarray(1, 6))).toEqual([1, 1.2, 1.2, 1.2, 1]);
    expect(networks).toEqual([{ type: 'network', kind: 'embedding', name: '<cat-toy>', args: [], start: 5, end: 14 }]);
    expect(prompt.slice(5, 14)).toBe('<cat-toy>');
    expect(diagnostics).toEqual([]);
  });

  test.each(['compel-mask', 'compel-remove'] as const)(
    'Compel: what stays has its vectors where it moved to: %s',
    (weighting) => {
      const prepared = compel('(red <cat-toy>)0.5 <cat-toy> house', { weighting });
      const [downweighted] = prepared.texts[0].weighted.downweighted;
      expect([...downweighted.masked[0].pass.keyMask.slice(0, 8)]).toEqual([1, 0, 0, 0, 1, 1, 1, 1]);
      expect(downweighted.masked[0].pass.vectors?.size).toBe(4);
      expect([...downweighted.removed[0].pass.inputIds.slice(0, 5)]).toEqual([49406, 0, 0, 1212, 49407]);
      expect(downweighted.removed[0].pass.vectors).toEqual(new Map([1, 2].map((row, i) => [row, vectors[i]])));
      expect(prepared.networks.map(({ start }) => start)).toEqual([5, 19]);
      expect(promptPasses(prepared, weighting).every((pass) => pass.vectors)).toBe(false);
    },
  );
});

test('a normalisation is of the methods that have one', () => {
  const weights = (weighting: MethodName) =>
    prepare('a (bicycle apricots:2)', { syntax: 'comfy', weighting, normalisation: 'mean' }).texts[0].weighted.chunks[0]
      .perTokenWeights[2];
  expect(weights('scale')).toBe(2);
  expect(weights('adv-compel')).toBeLessThan(2);
});

test('nothing typed makes it throw, and every pass asked for is one that exists', () => {
  const text = fc
    .array(
      fc.constantFrom(
        ...'()[]{}:|<>\\#.,+-"\n 1.5',
        ' AND ',
        ' BREAK ',
        'cat',
        '.and()',
        '.blend(',
        '<lora:',
        '😀',
        '\ud800',
      ),
    )
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(
      text,
      fc.constantFrom(...syntaxes),
      fc.constantFrom(...names),
      fc.nat(9),
      (prompt, syntax, name, at) => {
        const prepared = prepare(prompt, { syntax, weighting: name, steps: 10, step: at + 1 });
        for (const { start, end } of [...prepared.diagnostics, ...prepared.inactive, ...prepared.texts]) {
          expect(start).toBeGreaterThanOrEqual(0);
          expect(end).toBeGreaterThanOrEqual(start);
          expect(end).toBeLessThanOrEqual(prompt.length);
        }
        const embeds = withPasses(promptPasses(prepared, name), fakeZ, (z) => promptEmbeds(prepared, z, name));
        expect(embeds).toHaveLength(prepared.conditionings.length);
      },
    ),
    { numRuns: 400 },
  );
});
