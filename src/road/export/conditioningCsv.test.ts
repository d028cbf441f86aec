import { expect, test } from 'vitest';
import { whole } from '../../prompt/slices.ts';
import fc from '../../properties.ts';
import type { PromptToken } from '../../tokens/promptTokens.ts';
import { defaultOptions } from '../options.ts';
import { preparePrompt } from '../pipeline.ts';
import { d, fakeZ, tokenizer } from '../testing/prompts.ts';
import { shortest, writingCsv } from './conditioningCsv.ts';
import { exportConditioning } from './exportConditioning.ts';

test('a line a row: token, weight, norm and values', () => {
  const pair = {
    positive: preparePrompt('=a (cat:1.2), "x', defaultOptions, tokenizer),
    negative: preparePrompt('fog BREAK sea', defaultOptions, tokenizer, 'negative'),
    options: defaultOptions,
  };
  const tensors = exportConditioning(pair, fakeZ);
  const texts: string[] = [];
  const label = ({ kind, text }: PromptToken) => (kind === 'text' ? text.replace('</w>', '') : kind);
  whole(writingCsv(tensors, label, (text) => texts.push(text)));
  const csv = texts.join('');
  expect(csv.startsWith('\ufefftensor,row,id,token,weight,norm,d0,d1,d2\r\n')).toBe(true);
  const lines = csv.trimEnd().split('\r\n').slice(1);
  expect(lines).toHaveLength(2 * 154);
  const starts = lines.map((line) => line.split(',').slice(0, 4).join(' '));
  expect(starts.slice(0, 4)).toEqual([
    'prompt_embeds 0 49406 bos',
    "prompt_embeds 1 284 '=",
    'prompt_embeds 2 320 a',
    'prompt_embeds 3 2368 cat',
  ]);
  expect(lines[4]).toContain('267,",",1,');
  expect(lines[5]).toContain('257,"""",1,');
  expect(lines[77]).toContain('prompt_embeds,77,,completed,,');
  expect(lines[154]).toContain('negative_prompt_embeds,0,49406,bos,1,');
  const values = lines.flatMap((line) => line.split(',').slice(-d).map(Number));
  expect(Float32Array.from(values)).toEqual(
    Float32Array.of(...tensors.flatMap(({ data }) => [...(data as Float32Array)])),
  );
});

test('no digit too many, none too few', () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const digits = [6, 7, 8, 9].find((digits) => Math.fround(Number(value.toPrecision(digits))) === value) ?? 6;
      expect(shortest(value)).toBe(String(Number(value.toPrecision(digits))));
    }),
    // At a half of the seventh and of the eighth digit, at a power of ten, and at what rounds up to one.
    { examples: [0.00390625, 1.0078125, 1000, 9.9999990463].map((value) => [Math.fround(value)]) },
  );
  expect([0.1, 1.5, -0.000123].map((value) => shortest(Math.fround(value)))).toEqual(['0.1', '1.5', '-0.000123']);
});
