import { describe, expect, test } from 'vitest';
import { compress } from '../files/compression.ts';
import fc from '../properties.ts';
import { defaultOptions } from '../road/options.ts';
import { readLink, readShared, type Shared, SharedError, writeLink, writeShared } from './shared.ts';

const contents: Shared = {
  work: {
    prompts: { positive: 'a (red:1.3) car, 小さな猫 😀', negative: 'fog' },
    options: { ...defaultOptions, mask: 'hf', weighting: 'scale' },
  },
  selection: { side: 'negative', chunk: 2, layer: 3, head: 11, stage: 0 },
};

async function link(json: string): Promise<string> {
  const packed = await compress(new TextEncoder().encode(json), 'deflate-raw');
  return `#share=${Buffer.from(packed).toString('base64url')}`;
}

test('there and back', async () => {
  const written = await writeLink(contents);
  expect(written).toMatch(/^#share=[\w-]+$/);
  expect(await readLink(written)).toEqual(contents);
  expect(readShared(writeShared(contents, 2))).toEqual(contents);
});

test('a link that names a tokenizer keeps it, in every language', () => {
  const options = { ...defaultOptions, syntax: 'comfy' as const };
  const json = JSON.stringify({
    clipscope: 1,
    prompts: { positive: 'a' },
    options: { ...options, tokenizer: 'hf-slow-ftfy' },
  });
  expect(readShared(json).work.options).toEqual({ ...options, tokenizer: 'hf-slow-ftfy' });
  const following = readShared(writeShared({ ...contents, work: { ...contents.work, options } }));
  expect(following.work.options.tokenizer).toBe('program');
});

test('any prompt comes through, line ends as an editor writes them', async () => {
  const text = fc.string({ unit: 'grapheme' });
  await fc.assert(
    fc.asyncProperty(text, text, async (positive, negative) => {
      const work = { ...contents.work, prompts: { positive, negative } };
      const { prompts } = (await readLink(await writeLink({ ...contents, work }))).work;
      expect(prompts).toEqual({
        positive: positive.replace(/\r\n?/g, '\n'),
        negative: negative.replace(/\r\n?/g, '\n'),
      });
    }),
    { numRuns: 200 },
  );
});

test('a prompt of 2,000 characters of real words stays well below the limit', async () => {
  const words = 'masterpiece, (best quality:1.2), a castle on a hill, evening light, [blurry], oil on canvas, ';
  const prompts = { positive: words.repeat(22).slice(0, 2000), negative: '' };
  expect((await writeLink({ ...contents, work: { ...contents.work, prompts } })).length).toBeLessThan(1000);
});

test('what is missing is as on a first visit, and what is not known is passed over', async () => {
  const json = '{"clipscope": 1, "prompts": {"positive": "a", "extra": 1}, "future": {"x": []}, "options": {"hue": 3}}';
  expect(await readLink(await link(json))).toEqual({
    work: { prompts: { positive: 'a', negative: '' }, options: defaultOptions },
    selection: { side: 'positive', chunk: 0, layer: 0, head: 0, stage: 'last' },
  });
});

describe('what is wrong is refused', () => {
  const prompts = '"prompts": {"positive": "a", "negative": "b"}';
  test.each([
    ['{', 'is damaged or cut off'],
    ['null', 'holds no prompt of this page'],
    ['[1]', 'holds no prompt of this page'],
    [`{${prompts}}`, 'holds no prompt of this page'],
    [`{"clipscope": 2, ${prompts}}`, 'was made by a newer version'],
    [`{"clipscope": "x", ${prompts}}`, 'was made by a newer version'],
    ['{"clipscope": 1}', 'holds no prompt'],
    ['{"clipscope": 1, "prompts": {"positive": 5}}', 'holds no prompt'],
    ['{"clipscope": 1, "prompts": {"positive": "a", "negative": null}}', 'holds no prompt'],
    [`{"clipscope": 1, ${prompts}, "options": {"mask": "sideways"}}`, 'has a value for “mask” that is not known here'],
    [`{"clipscope": 1, ${prompts}, "options": {"mask": ["hf"]}}`, 'has a value for “mask” that is not known here'],
    [`{"clipscope": 1, ${prompts}, "options": {"steps": -1}}`, 'has a value for “steps” that is not known here'],
    [`{"clipscope": 1, ${prompts}, "selection": {"chunk": -1}}`, 'is damaged'],
    [`{"clipscope": 1, ${prompts}, "selection": {"side": "both"}}`, 'is damaged'],
    [`{"clipscope": 1, ${prompts}, "selection": {"layer": 1.5}}`, 'is damaged'],
    [`{"clipscope": 1, ${prompts}, "selection": {"stage": "first"}}`, 'is damaged'],
  ])('%s', async (json, message) => {
    await expect(readLink(await link(json))).rejects.toThrow(new SharedError(message));
  });

  test.each(['#share=', '#share=%%%', '#share=AAAA', '#share=_____', '#share=7'])('%s', async (hash) => {
    await expect(readLink(hash)).rejects.toThrow(SharedError);
  });

  test('a link cut off anywhere', async () => {
    const whole = await writeLink(contents);
    for (let length = '#share='.length; length < whole.length; length += 5)
      await expect(readLink(whole.slice(0, length)), String(length)).rejects.toThrow(SharedError);
  });

  test('a short link that unpacks to 100 MB', async () => {
    const bomb = await link(`{"clipscope": 1, "prompts": {"positive": "${'x'.repeat(100_000_000)}"}}`);
    await expect(readLink(bomb)).rejects.toThrow(/far too long/);
  });

  test('any hash', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), async (bytes) => {
        await expect(readLink(`#share=${Buffer.from(bytes).toString('base64url')}`)).rejects.toThrow(SharedError);
      }),
      { numRuns: 300 },
    );
  });
});
