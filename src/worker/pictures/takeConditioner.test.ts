import { describe, expect, test } from 'vitest';
import { clipTiny } from '../../clip/config.ts';
import { type EncoderPass, passKey } from '../../clip/encoderPass.ts';
import { maskModes } from '../../clip/masks.ts';
import type { Encoder } from '../../engine/encoder.ts';
import { defaultOptions, type PromptOptions } from '../../road/options.ts';
import { preparePrompt, promptEmbeds } from '../../road/pipeline.ts';
import { d, fakeOutput, fakeZ, tokenizer } from '../../road/testing/prompts.ts';
import { methodNames } from '../../weighting/methods.ts';
import { type PictureTake, untouched } from './pictureMessages.ts';
import { takeConditioner } from './takeConditioner.ts';

/** An encoder whose outputs follow from the pass alone, and the passes that it was asked for. */
function fakeEncoder() {
  const asked: EncoderPass[] = [];
  const encoder: Partial<Encoder> = {
    config: { ...clipTiny, hiddenSize: d },
    finalLayerNorm: { weight: new Float32Array(d).fill(1), bias: new Float32Array(d) },
    async encode(passes, want) {
      asked.push(...passes);
      return { outputs: passes.map((pass) => fakeOutput(pass, want)), rows: 0, milliseconds: 0 };
    },
  };
  return { encoder: encoder as Encoder, asked };
}

const takeOf = (positive: string, changes: Partial<PromptOptions> = {}, negative = ''): PictureTake => ({
  prompts: { positive, negative },
  options: { ...defaultOptions, steps: 4, ...changes },
  seed: 1,
  ...untouched,
});

/** The rows of a take's first step, positive and negative. */
async function rowsOf(take: PictureTake): Promise<readonly Float32Array[]> {
  const { steps } = await takeConditioner(fakeEncoder().encoder, tokenizer)(take, [], async () => {});
  const [{ parts, negative }] = steps;
  return [parts[0].rows, negative.rows];
}

/** Two chunks, because A1111 and ADV_CLIP_emb restore the mean of one alike. */
const weighted = 'a (red:1.5) circle BREAK a (large:0.5) star';
const count = (all: readonly Float32Array[]) => new Set(all.map((rows) => rows.join())).size;

describe.each(maskModes)('mask %s', (mask) => {
  test.each(methodNames)('%s: the denoiser reads the rows that the road gives', async (weighting) => {
    const take = takeOf(weighted, { mask, weighting }, 'a (blue:0.7) moon');
    const embedsOf = (prompt: string) => promptEmbeds(preparePrompt(prompt, take.options, tokenizer), fakeZ, weighting);
    expect(await rowsOf(take)).toEqual([...embedsOf(weighted), ...embedsOf('a (blue:0.7) moon')]);
  });

  test('no two methods give the same rows, but for maps of rows where there are none', async () => {
    const all = await Promise.all(
      methodNames.map(async (weighting) => (await rowsOf(takeOf(weighted, { mask, weighting })))[0]),
    );
    expect(count(all)).toBe(methodNames.length - 1);
    expect(all[methodNames.indexOf('psi')]).toEqual(all[methodNames.indexOf('none')]);
  });
});

test('each mask is encoded as such, on both sides', async () => {
  const masksOf = await Promise.all(
    maskModes.map(async (mask) => {
      const { encoder, asked } = fakeEncoder();
      await takeConditioner(encoder, tokenizer)(takeOf('a red circle', { mask }, 'fog'), [], async () => {});
      // The prompt, the negative prompt, and the empty prompt, of which rows may stand in the place of others.
      return asked.map(({ causal, keyMask }) => [causal, keyMask.indexOf(0)]);
    }),
  );
  // BOS, three words and EOS; the lecture hides the EOS, too.
  expect(Object.fromEntries(maskModes.map((mask, i) => [mask, masksOf[i]]))).toEqual({
    causal: Array(3).fill([true, -1]),
    hf: [5, 3, 2].map((hidden) => [true, hidden]),
    lecture: [4, 2, 1].map((hidden) => [true, hidden]),
    none: Array(3).fill([false, -1]),
  });
});

test('a pass is encoded once, whatever asks for it, and again where another state is read', async () => {
  const { encoder, asked } = fakeEncoder();
  const condition = takeConditioner(encoder, tokenizer);
  const takes = ['a [red|blue] circle', 'a blue circle', 'a (red:1.4) circle'].map((prompt) => takeOf(prompt));
  for (const take of takes) await condition(take, [], async () => {});
  const keys = asked.map(passKey);
  // Red, blue, and the empty prompt.
  expect(keys).toHaveLength(3);
  await condition(takeOf('a blue circle', { clipSkip: 2 }), [], async () => {});
  expect(asked.slice(3).map(passKey).toSorted()).toEqual([keys[1], keys[2]].toSorted());
});

test('a prompt that is not read is refused by the sentence that says why', async () => {
  const condition = takeConditioner(fakeEncoder().encoder, tokenizer);
  const long = takeOf(Array(20_000).fill('red circle,').join(' '));
  await expect(condition(long, [], async () => {})).rejects.toMatchObject({ name: 'UnreadPromptError' });
  // A bound may be exceeded by the text of a later step alone: one more pass for each word that is light.
  const light = Array.from({ length: 300 }, (_, i) => `(cat:0.${i + 100})`).join(' ');
  const late = takeOf(`a circle [:${light}:0.5]`, { weighting: 'compel-mask' });
  await expect(condition(late, [], async () => {})).rejects.toMatchObject({ name: 'UnreadPromptError' });
  await expect(condition(takeOf('a circle', {}, `[:${light}:0.5]`), [], async () => {})).resolves.toBeDefined();
});
