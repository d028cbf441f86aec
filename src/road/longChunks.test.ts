import { expect, test } from 'vitest';
import { writeNpy } from '../files/npy.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { whole } from '../prompt/slices.ts';
import { syntaxes } from '../prompt/syntax.ts';
import { withMaxLength } from '../tokens/maxLength.ts';
import type { ZOf } from '../weighting/method.ts';
import { methodNames } from '../weighting/methods.ts';
import { comparingConditioning } from './export/compareConditioning.ts';
import { openConditioning, writeConditioning } from './export/conditioningFile.ts';
import { exportConditioning, exportMetadata, exportPasses, exportRefusal } from './export/exportConditioning.ts';
import { defaultOptions, type PromptOptions } from './options.ts';
import { preparePrompt, promptPasses } from './pipeline.ts';
import { tokenizer } from './testing/prompts.ts';

const d = 4;
/** An encoder whose rows tell the id and the place. */
const zOf: ZOf = ({ inputIds }) =>
  Float32Array.from({ length: inputIds.length * d }, (_, i) => Math.sin(inputIds[Math.floor(i / d)] + i));
const cats = (count: number) => Array(count).fill('cat').join(' ');

function pairOf(prompt: string, options: PromptOptions, L: number) {
  const ofLength = withMaxLength(tokenizer, L);
  const negative = preparePrompt('blurry', options, ofLength, 'negative');
  return { positive: preparePrompt(prompt, options, ofLength), negative, options };
}

test.each(syntaxes)(
  '%s: every pass of every method is as long as the encoder takes, and so is the export',
  (syntax) => {
    const weighted = syntax === 'compel' ? '(dog)0.5' : '(dog:0.5)';
    const options: PromptOptions = {
      ...defaultOptions,
      syntax,
      mask: 'hf',
      rowMaps: '2: z + r - empty; r = a red cat',
    };
    const pair = pairOf(`${cats(98)} ${weighted} bird`, options, 248);
    expect(pair.positive.refusal).toBeNull();
    for (const method of methodNames)
      for (const pass of promptPasses(pair.positive, method))
        expect([pass.inputIds.length, pass.keyMask.length]).toEqual([248, 248]);
    expect(exportPasses(pair).every(({ inputIds }) => inputIds.length === 248)).toBe(true);
    const shapes = exportConditioning(pair, zOf).map(({ name, shape }) => [name, shape]);
    expect(shapes).toEqual([
      ['prompt_embeds', [1, 248, d]],
      ['negative_prompt_embeds', [1, 248, d]],
      ['attention_mask', [1, 248]],
      ['negative_attention_mask', [1, 248]],
    ]);
    const { token_ids } = exportMetadata(pair, { name: 'long', random: false });
    expect(JSON.parse(token_ids).map((ids: number[]) => ids.length)).toEqual([248]);
  },
);

test.each([248, 40])('a conditioning of chunks of %d rows opens again and is compared', async (L) => {
  const pair = pairOf(cats(300), defaultOptions, L);
  const tensors = exportConditioning(pair, zOf);
  const rows = Math.ceil(300 / (L - 2)) * L;
  expect(tensors.map(({ shape }) => shape)).toEqual([
    [1, rows, d],
    [1, rows, d],
  ]);
  const bytes = writeConditioning('npz', tensors, exportMetadata(pair, { name: 'long', random: false }));
  const file = await openConditioning(memorySource(bytes, 'a.npz'));
  const comparison = whole(comparingConditioning(file!.conditionings[0], tensors));
  expect(comparison).toMatchObject({ rows, largest: 0 });
});

test('a file of another program is known by rows of Long-CLIP, and a bare array of others is refused', async () => {
  const data = new Float32Array(496 * d);
  const tensor = { name: 'prompt_embeds', dtype: 'F32', shape: [1, 496, d], data } as const;
  const file = await openConditioning(memorySource(writeSafetensors([tensor]), 'a.safetensors'));
  expect(file!.conditionings).toMatchObject([{ rows: 496, d }]);
  const other = openConditioning(memorySource(writeNpy(data.subarray(0, 40 * d), [40, d]), 'a.npy'));
  await expect(other).rejects.toThrow(
    '"a.npy" holds "a.npy" of shape [40, 4]; a conditioning is [1, 77·n, d] or [77·n, d], or has 248·n rows.',
  );
});

test('as many rows are exported of long chunks as of short ones', () => {
  const breaks = (chunks: number) => Array(chunks).fill('cat').join(' BREAK ');
  expect(exportRefusal(pairOf(breaks(300), defaultOptions, 248))).toBeNull();
  expect(exportRefusal(pairOf(breaks(400), defaultOptions, 248))).toContain('a file takes at most 635');
  expect(exportRefusal(pairOf(breaks(400), defaultOptions, 77))).toBeNull();
});
