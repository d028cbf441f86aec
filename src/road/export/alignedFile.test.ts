import { expect, test } from 'vitest';
import { defaultOptions } from '../options.ts';
import { preparePrompt } from '../pipeline.ts';
import { d, fakeZ, tokenizer } from '../testing/prompts.ts';
import { alignFile } from './alignedFile.ts';
import { type ConditioningComparison, compareConditioning } from './compareConditioning.ts';
import { exportConditioning, exportMetadata } from './exportConditioning.ts';

function exported(prompt: string) {
  const pair = { positive: preparePrompt(prompt, defaultOptions, tokenizer), negative: null, options: defaultOptions };
  const [tensor] = exportConditioning(pair, fakeZ);
  const metadata = new Map(Object.entries(exportMetadata(pair, { name: 'x', random: true })));
  return { tensor, metadata, stored: { name: 'prompt_embeds', rows: 77, d, data: tensor.data as Float32Array } };
}

test('rows are paired by token, whatever row they are in', () => {
  const [file, here] = [exported('a blurry car'), exported('a , blurry car')];
  const compared = compareConditioning(file.stored, [here.tensor]) as ConditioningComparison;
  const aligned = alignFile(file.metadata, file.stored, compared)!;
  expect(aligned).toMatchObject({ isSame: false, pairs: 76 });
  expect(aligned.relative).toBeGreaterThan(0);
  expect(alignFile(new Map(), file.stored, compared)).toBeNull();
});

test('the same tokens are paired row by row', () => {
  const { tensor, metadata, stored } = exported('a cat');
  const compared = compareConditioning(stored, [tensor]) as ConditioningComparison;
  expect(alignFile(metadata, stored, compared)).toEqual({ isSame: true, pairs: 77, relative: 0, cosine: 1 });
});
