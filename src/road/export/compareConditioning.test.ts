import { expect, test } from 'vitest';
import { memorySource } from '../../files/testing/memorySource.ts';
import { whole } from '../../prompt/slices.ts';
import { defaultOptions } from '../options.ts';
import { preparePrompt, promptEmbeds } from '../pipeline.ts';
import { d, fakeZ, tokenizer } from '../testing/prompts.ts';
import { type ConditioningComparison, comparingConditioning } from './compareConditioning.ts';
import { openConditioning, writeConditioning } from './conditioningFile.ts';
import { exportConditioning } from './exportConditioning.ts';

const positive = preparePrompt('a (cat:1.2) AND a dog', defaultOptions, tokenizer);
const negative = preparePrompt('fog BREAK sea', defaultOptions, tokenizer, 'negative');
const own = exportConditioning({ positive, negative, options: defaultOptions }, fakeZ);
const compareConditioning = (...of: Parameters<typeof comparingConditioning>) => whole(comparingConditioning(...of));
const stored = (name: string, data: Float32Array) => ({ name, rows: data.length / d, d, data });

test('what was exported differs by nothing', async () => {
  const file = await openConditioning(memorySource(writeConditioning('safetensors', own, {})));
  const compared = file!.conditionings.map((one) => compareConditioning(one, own) as ConditioningComparison);
  expect(compared.map(({ with: name, rows, largest, mean }) => [name, rows, largest, mean])).toEqual([
    ['negative_prompt_embeds', 154, 0, 0],
    ['prompt_embeds.0', 154, 0, 0],
    ['prompt_embeds.1', 154, 0, 0],
  ]);
});

test('the largest difference is found, and where it is', () => {
  const changed = (own[1].data as Float32Array).slice();
  changed[5 * d + 2] += 0.5;
  changed[90 * d] -= 1.5;
  expect(compareConditioning(stored('1.prompt_embeds.1', changed), own)).toMatchObject({
    with: 'prompt_embeds.1',
    largest: 1.5,
    at: { row: 90, dimension: 0 },
    mean: 2 / changed.length,
    distances: Float64Array.from({ length: 154 }, (_, row) => (row === 5 ? 0.5 : row === 90 ? 1.5 : 0)),
  });
});

test('one that was not completed is compared with the prompt’s own rows', () => {
  const [embeds] = promptEmbeds(positive, fakeZ, 'original');
  expect(compareConditioning(stored('cond', embeds), own)).toMatchObject({
    with: 'prompt_embeds.0',
    rows: 77,
    largest: 0,
  });
});

test.each([
  ['prompt_embeds.2', 77, 'The prompt here has no part 3'],
  ['0.negative_prompt_embeds.1', 77, 'The negative prompt here has no part 2'],
  ['prompt_embeds', 231, '“prompt_embeds” has another shape, 231 × 3; the prompt here has 154 × 3.'],
])('%s of %d rows is one sentence', (name, rows, message) => {
  expect(compareConditioning(stored(name, new Float32Array(rows * d)), own)).toContain(message);
});

test('another width is one sentence', () => {
  const other = { name: 'prompt_embeds', rows: 154, d: 4, data: new Float32Array(154 * 4) };
  expect(compareConditioning(other, own)).toContain('another shape, 154 × 4');
});
