/** A text over a bound is not read, and that is said; one within it is read exactly. */
import { describe, expect, test } from 'vitest';
import { longestPrompt, mostChunks, mostPasses } from '../prompt/bounds.ts';
import { defaultOptions, type PromptOptions } from './options.ts';
import { preparePrompt, promptPasses } from './pipeline.ts';
import { answer } from './study/answer.ts';
import { tokenizer } from './testing/prompts.ts';

const prepare = (prompt: string, changed: Partial<PromptOptions> = {}) =>
  preparePrompt(prompt, { ...defaultOptions, ...changed }, tokenizer);
const filled = (part: string) => part.repeat(Math.floor(longestPrompt / part.length));

/** `[a1|[a2|[a3|…]]]`: at each depth one text more. */
function nestedAlternation(depth: number): string {
  let inner = 'z';
  for (let i = depth; i > 0; i--) inner = `[a${i}|${inner}]`;
  return inner;
}

const compel = { syntax: 'compel', weighting: 'compel-mask' } as const;

describe('is not read', () => {
  test.each<[string, string, Partial<PromptOptions>, string]>([
    ['BREAK', filled('BREAK '), {}, 'chunks'],
    ['AND', filled('a AND '), {}, 'parts'],
    ['.and()', `(${filled('"a",').slice(8, -1)}).and()`, compel, 'parts'],
    ['.blend()', `(${filled('"a",').slice(8, -1)}).blend(1)`, compel, 'chunks|parts|characters'],
    ['characters of many bytes', filled('猫'), {}, 'chunks'],
    ['the same in ComfyUI', filled('猫'), { syntax: 'comfy', weighting: 'comfy' }, 'chunks'],
    ['the same in Compel', filled('猫'), { ...compel, split: 'WORDS' }, 'chunks'],
    ['nested alternations around much text', `${nestedAlternation(90)} ${'cat '.repeat(15_000)}`, {}, 'steps'],
    ['many alternations', filled('[a|b] '), {}, 'steps'],
    ['alternations in lockstep', `[a|b][a|b|c][a|b|c|d|e] ${'cat '.repeat(15_000)}`, { steps: 150 }, 'steps'],
    ['many schedules', Array.from({ length: 4_000 }, (_, i) => `[a:b:${i % 150}]`).join(' '), { steps: 150 }, 'steps'],
    ['light words', filled('(a)0.9 (a)0.8 '), { ...compel, split: 'WORDS' }, 'passes'],
    [
      'levels',
      Array.from({ length: 4_000 }, (_, i) => `(a:0.${10_000 + i})`).join(' '),
      { weighting: 'adv-compel' },
      'passes',
    ],
    ['one character more than the longest', 'a'.repeat(longestPrompt + 1), {}, '64,001 characters'],
  ])('%s', (_, prompt, changed, reason) => {
    const { refusal, chunks, diagnostics, conditionings, source } = prepare(prompt, changed);
    expect(refusal).toMatch(new RegExp(reason));
    expect(refusal).toMatch(/^[A-Z].*\.$/);
    expect(source).toBe(prompt);
    // Nothing else of it is read.
    expect(chunks.map(({ chunk }) => chunk.tokens.filter(({ kind }) => kind === 'text').length)).toEqual([0]);
    expect(conditionings).toHaveLength(1);
    expect(diagnostics).toEqual([
      { code: 'not-read', severity: 'error', start: 0, end: prompt.length, message: refusal },
    ]);
  });
});

describe('is read exactly', () => {
  test('as many chunks as the bound, and not one more', () => {
    const breaks = (count: number) => Array.from({ length: count }, () => 'a').join(' BREAK ');
    const most = prepare(breaks(mostChunks));
    expect([most.refusal, most.chunks.length]).toEqual([null, mostChunks]);
    expect(prepare(breaks(mostChunks + 1)).refusal).toContain('512 chunks');
  });

  test('words up to the longest prompt', () => {
    const { refusal, chunks } = prepare(filled('a '));
    expect([refusal, chunks.length]).toEqual([null, Math.ceil(longestPrompt / 2 / 75)]);
  });

  test('an alternation of other texts at all 150 steps', () => {
    const prompt = `[${Array.from({ length: 150 }, (_, i) => `w${i}`).join('|')}] on grass`;
    const { refusal, texts } = prepare(prompt, { steps: 150 });
    expect(refusal).toBeNull();
    expect(texts[0].steps).toHaveLength(150);
    expect(new Set(texts[0].steps.map(({ text }) => text.text)).size).toBe(150);
  });

  test('chunks of other steps count too', () => {
    const options = Array.from({ length: 20 }, (_, i) => `w${i}`).join('|');
    const breaks = (count: number) => `[${options}] ${'BREAK a '.repeat(count - 1)}`;
    expect(prepare(breaks(25)).refusal).toBeNull();
    expect(prepare(breaks(26)).refusal).toContain('other steps');
  });

  test('light fragments up to as many passes as the bound', () => {
    const light = (count: number) => Array.from({ length: count }, (_, i) => `(a)0.${9 - (i % 2)}`).join(' ');
    const options = { ...compel, split: 'BRUTAL' } as const;
    const within = prepare(light(250), options);
    expect(within.refusal).toBeNull();
    expect(promptPasses(within, 'compel-mask').length).toBeLessThanOrEqual(mostPasses);
    expect(prepare(light(300), options).refusal).toContain('passes');
    // Another way of weighing needs no more than the chunks.
    expect(prepare(light(300), { ...options, weighting: 'scale' }).refusal).toBeNull();
  });
});

test('the answer says why a prompt is not read, and nothing else of it', () => {
  const options = defaultOptions;
  const prepared = prepare(filled('BREAK '));
  const reader = { options, tokenizer, side: 'positive', embeddings: [] } as const;
  const sentences = answer({ ...reader, prepared, embeds: null, model: null, layers: 12, hindrance: '' });
  expect(sentences.map(({ text }) => text)).toEqual([prepared.refusal]);
});

test('a program that does not read the prompt is said to leave it out', () => {
  const options: PromptOptions = { ...defaultOptions, ...compel };
  const prompt = 'BREAK '.repeat(600);
  const prepared = prepare(prompt, options);
  const reader = { options, tokenizer, side: 'positive', embeddings: [] } as const;
  const sentences = answer({ ...reader, prepared, embeds: null, model: null, layers: 12, hindrance: '' });
  expect(prepared.refusal).toBeNull();
  expect(sentences.map(({ text }) => text)).toContainEqual(
    expect.stringMatching(/^A1111’s reading is left out\. .*512/),
  );
});
