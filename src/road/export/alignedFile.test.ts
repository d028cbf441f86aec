import { expect, test } from 'vitest';
import { whole } from '../../prompt/slices.ts';
import { defaultOptions } from '../options.ts';
import { preparePrompt } from '../pipeline.ts';
import { d, fakeZ, tokenizer } from '../testing/prompts.ts';
import { aligningFile } from './alignedFile.ts';
import { type ConditioningComparison, comparingConditioning } from './compareConditioning.ts';
import { exportConditioning, exportMetadata } from './exportConditioning.ts';

function exported(prompt: string) {
  const pair = { positive: preparePrompt(prompt, defaultOptions, tokenizer), negative: null, options: defaultOptions };
  const [tensor] = exportConditioning(pair, fakeZ);
  const metadata = new Map(Object.entries(exportMetadata(pair, { name: 'x', random: true })));
  return { tensor, metadata, stored: { name: 'prompt_embeds', rows: 77, d, data: tensor.data as Float32Array } };
}

test('rows are paired by token, whatever row they are in', () => {
  const [file, here] = [exported('a blurry car'), exported('a , blurry car')];
  const compared = whole(comparingConditioning(file.stored, [here.tensor])) as ConditioningComparison;
  const aligned = whole(aligningFile(file.metadata, file.stored, compared))!;
  expect(aligned).toMatchObject({ isSame: false, pairs: 76 });
  expect(aligned.relative).toBeGreaterThan(0);
  expect(whole(aligningFile(new Map(), file.stored, compared))).toBeNull();
});

test('the same tokens are paired row by row', () => {
  const { tensor, metadata, stored } = exported('a cat');
  const compared = whole(comparingConditioning(stored, [tensor])) as ConditioningComparison;
  expect(whole(aligningFile(metadata, stored, compared))).toEqual({ isSame: true, pairs: 77, relative: 0, cosine: 1 });
});
