import { expect, test } from 'vitest';
import type { EncoderPass } from '../clip/encoderPass.ts';
import { whole } from '../prompt/slices.ts';
import { fakeOutput, tokenizer } from '../road/testing/prompts.ts';
import { encodedCount } from './encoded.ts';
import { differenceWork, programPasses, programsWork } from './programReadings.ts';
import { createClipscopeStore } from './store.ts';
import { allEncoded, answeringEncoder, modelInfo } from './testing/fakeEncoder.ts';

test('what two programs need is encoded on demand, and their rows are compared', async () => {
  const asked: (readonly EncoderPass[])[] = [];
  const tiny = modelInfo('synthetic-tiny', 'tiny');
  const model = {
    ...tiny,
    config: { ...tiny.config, hiddenSize: 3 },
    finalLayerNorm: { weight: new Float32Array(3), bias: new Float32Array(3) },
  };
  const client = answeringEncoder(model, fakeOutput, asked);
  const store = createClipscopeStore({ connect: () => client, loadTokenizer: async () => tokenizer, memory: null });
  const facts = () => store.getState();
  facts().setPrompt('positive', 'a [blurry] car');
  await allEncoded(store);
  const pair = ['a1111', 'comfy'] as const;
  const study = whole(programsWork(facts())!());
  const passes = programPasses(study, pair);
  expect(encodedCount(facts(), passes)).toBeLessThan(passes.length);
  expect(differenceWork(facts(), study, pair)).toBeNull();
  facts().need('programs', passes);
  await allEncoded(store);
  expect(encodedCount(facts(), passes)).toBe(passes.length);
  const work = differenceWork(facts(), study, pair)!;
  expect(work).toBe(differenceWork(facts(), study, pair));
  const shown = whole(work());
  expect(shown.study).toBe(study);
  // “a” is the same row in both, and A1111 restores the mean of all rows.
  expect(shown.difference.tokens.map(({ at }) => at)).toEqual([0, 2, 4]);
  expect(shown.difference.relative).toBeGreaterThan(0);
});
