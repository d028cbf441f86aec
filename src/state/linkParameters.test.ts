import { expect, test } from 'vitest';
import { longestPrompt } from '../prompt/bounds.ts';
import { sides } from '../prompt/side.ts';
import fc from '../properties.ts';
import { defaultOptions, optionValues, type PromptOptions } from '../road/options.ts';
import { readReadableLink, writeReadableLink } from './linkParameters.ts';
import { defaultsOf } from './presets.ts';
import { isReadableLink, type Shared } from './shared.ts';
import { viewOf, viewTitles } from './view.ts';

/** Reads a link that is no infotext. */
function read(hash: string): Shared {
  const link = readReadableLink(hash);
  if (link.kind !== 'shared') throw new Error('It is an infotext.');
  return link.shared;
}

test('a link as the documentation has it', () => {
  const hash = '#v=1&prompt=a (red:1.3) car&negative=fog&language=compel&method=scale&view=attention&layer=5&head=3';
  expect(isReadableLink(hash)).toBe(true);
  expect(viewOf(hash)).toBe('attention');
  expect(read(hash)).toEqual({
    work: {
      prompts: { positive: 'a (red:1.3) car', negative: 'fog' },
      options: { ...defaultsOf('compel'), weighting: 'scale' },
    },
    selection: { side: 'positive', chunk: 0, layer: 4, head: 2, stage: 'last' },
  });
});

test('what a link does not name is as its program has it, and a prompt alone is a link', () => {
  expect(read('#prompt=cat%2B%2B dog++&language=compel').work).toEqual({
    prompts: { positive: 'cat++ dog++', negative: '' },
    options: defaultsOf('compel'),
  });
  expect(read('#prompt=a').work.options).toEqual(defaultOptions);
});

test('a link is written so that it can be read', () => {
  const shared = read('#prompt=a (red:1.3) car, [fog]&layer=5&mask=hf');
  expect(writeReadableLink(shared, 'attention')).toBe(
    '#v=1&prompt=a%20(red:1.3)%20car,%20%5Bfog%5D&language=a1111&mask=hf&view=attention&layer=5',
  );
});

test('whatever the page shows comes through', () => {
  const option = ([name, values]: [string, (typeof optionValues)[keyof PromptOptions]]) =>
    [
      name,
      'least' in values
        ? fc.integer({ min: values.least, max: values.most })
        : 'longest' in values
          ? fc.string({ maxLength: values.longest })
          : fc.constantFrom(...(values as [])),
    ] as const;
  const options = fc.record(Object.fromEntries(Object.entries(optionValues).map(option)));
  const text = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/\r\n?/g, '\n'));
  const place = fc.nat(999);
  const shared = fc.record({
    work: fc.record({ prompts: fc.record({ positive: text, negative: text }), options }),
    selection: fc.record({
      ...{ side: fc.constantFrom(...sides), chunk: place, layer: place, head: place },
      stage: fc.oneof(fc.constant('last'), place),
    }),
  });
  const view = fc.constantFrom(...(Object.keys(viewTitles) as (keyof typeof viewTitles)[]));
  fc.assert(
    fc.property(shared as unknown as fc.Arbitrary<Shared>, view, (contents, view) => {
      const hash = writeReadableLink(contents, view);
      // The address parser of browsers leaves every character in place.
      expect(new URL(hash, 'https://example.org/').hash).toBe(hash);
      expect(isReadableLink(hash)).toBe(true);
      expect(viewOf(hash)).toBe(view);
      expect(read(hash)).toEqual(contents);
    }),
    { numRuns: 300 },
  );
  // Half a pair of surrogates has no encoding.
  const { work, selection } = read('#prompt=a');
  const half = { work: { ...work, prompts: { positive: 'a\ud83d', negative: '' } }, selection };
  expect(read(writeReadableLink(half, 'tokens')).work.prompts.positive).toBe('a\ufffd');
  // A prompt that would be an infotext, did no negative prompt stand beside it.
  const infotext = { work: { ...work, prompts: { positive: 'a cat\nNegative prompt: fog', negative: '' } }, selection };
  expect(read(writeReadableLink(infotext, 'tokens'))).toEqual(infotext);
});

test('an infotext in the place of the prompt is read as one', () => {
  const text = 'a (cat:1.2)\nNegative prompt: fog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Clip skip: 2';
  const link = readReadableLink(`#v=1&prompt=${encodeURIComponent(text)}&view=masks&layer=2`);
  expect(link).toMatchObject({
    kind: 'infotext',
    infotext: { prompt: 'a (cat:1.2)', negativePrompt: 'fog' },
    selection: { layer: 1 },
  });
  // Infotexts are A1111's own.
  expect(readReadableLink(`#v=1&prompt=${encodeURIComponent(text)}&language=a1111&view=masks&layer=2`)).toEqual(link);
  expect(() => readReadableLink(`#v=1&prompt=${encodeURIComponent(text)}&language=compel`)).toThrow(
    '“language” beside',
  );
  expect(() => readReadableLink(`#v=1&prompt=${encodeURIComponent(text)}&method=scale`)).toThrow(
    'has an infotext for its prompt, which brings its own options, and “method” beside it',
  );
});

test.each([
  ['#v=2&prompt=a', 'was made by a newer version'],
  ['#v=x&prompt=a', 'has “x” for “v”, which takes a whole number from 1 to 1000000000'],
  ['#v=1&view=masks', 'holds no prompt'],
  ['#v=1&prompt=100%', 'has a % in “prompt” that encodes nothing (a percent sign is written %25)'],
  ['#v=1&prompt=a&prompt=b', 'has “prompt” twice'],
  ['#v=1&prompt=a&language=sdnext', 'has “sdnext” for “language”, which takes one of a1111, compel, comfy'],
  ['#v=1&prompt=a&layer=0', 'has “0” for “layer”, which takes a whole number from 1 to 1000'],
  ['#v=1&prompt=a&head=-1', 'has “-1” for “head”, which takes a whole number from 1 to 1000'],
  ['#v=1&prompt=a&clipSkip=99', 'has “99” for “clipSkip”, which takes a whole number from 1 to 13'],
  ['#v=1&prompt=a&stage=first', 'has “first” for “stage”, which takes a whole number from 0 to 1000'],
  ['#v=1&prompt=a&view=nothing', 'has “nothing” for “view”, which takes one of answer, '],
  ['#v=1&prompt=a&layr=5', 'has “layr”, which is not known here; known are v, prompt, negative, language, '],
  ['#v=1&prompt=a&toString=1', 'has “toString”, which is not known here'],
  [`#v=1&prompt=${'a'.repeat(1 << 20)}`, 'is far too long'],
])('%.60s: %s', (hash, message) => {
  expect(() => readReadableLink(hash)).toThrow(message);
});

test('parameters of the lab are the lab’s', () => {
  expect(read('#v=1&prompt=a&view=objective&lab.seed=2').work.prompts.positive).toBe('a');
});

test('a prompt as long as the page takes is within the bound of a link, however it is encoded', () => {
  const positive = '猫'.repeat(longestPrompt);
  const shared = read('#prompt=a');
  const hash = writeReadableLink(
    { ...shared, work: { ...shared.work, prompts: { positive, negative: '' } } },
    'tokens',
  );
  expect(read(hash).work.prompts.positive).toBe(positive);
});
