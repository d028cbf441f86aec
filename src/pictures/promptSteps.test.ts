import { describe, expect, test } from 'vitest';
import { expectClose } from '../clip/testing/recorded.ts';
import { defaultOptions, type PromptOptions } from '../road/options.ts';
import { preparePrompt, promptEmbeds } from '../road/pipeline.ts';
import { withPasses } from '../road/testing/encodings.ts';
import { d, fakeZ, tokenizer } from '../road/testing/prompts.ts';
import { methodNames } from '../weighting/methods.ts';
import { atCalls, readSteps, stepConditionings, stepPasses } from './promptSteps.ts';

function stepsOf(positive: string, changes: Partial<PromptOptions> = {}, negative = '') {
  const options = { ...defaultOptions, steps: 10, ...changes };
  const prompts = {
    positive: readSteps(positive, options, tokenizer, 'positive'),
    negative: readSteps(negative, options, tokenizer, 'negative'),
  };
  return withPasses(stepPasses(prompts, options), fakeZ, (zOf) => stepConditionings(prompts, options, zOf));
}

/** Rows of a prompt that no schedule changes. */
function embedsOf(prompt: string, changes: Partial<PromptOptions> = {}): Float32Array {
  const options = { ...defaultOptions, ...changes };
  return promptEmbeds(preparePrompt(prompt, options, tokenizer), fakeZ, options.weighting)[0];
}

const textsOf = (steps: ReturnType<typeof stepsOf>) =>
  steps.map(({ parts }) =>
    parts.map(({ tokens }) =>
      tokens
        .filter((token) => token?.kind === 'text')
        .map((token) => token!.text.replace('</w>', ''))
        .join(' '),
    ),
  );

describe('A1111', () => {
  test('[a:b:0.5] has its second text after half of the steps', () => {
    const steps = stepsOf('a [red:blue:0.5] circle');
    // The sampler counts its calls from 0 and an entry's end from 1: "red" lasts for one call more than the half.
    const red = 'a red circle';
    expect(textsOf(steps)).toEqual([...Array(6).fill([red]), ...Array(4).fill(['a blue circle'])]);
    expect(steps[0].parts[0].rows).toEqual(embedsOf('a red circle', { weighting: 'none' }));
    expect(steps[9].parts[0].rows).toEqual(embedsOf('a blue circle', { weighting: 'none' }));
    expect(steps[5]).toBe(steps[0]);
  });

  test('[a|b] changes with each step, and two texts are two conditionings', () => {
    const steps = stepsOf('a [red|blue] circle', { steps: 5 });
    expect(textsOf(steps).flat()).toEqual([
      'a red circle',
      'a red circle',
      'a blue circle',
      'a red circle',
      'a blue circle',
    ]);
    expect(new Set(steps).size).toBe(2);
  });

  test('the negative prompt is scheduled beside the positive one', () => {
    const steps = stepsOf('a [red:blue:2] circle', { steps: 6 }, '[big:3]');
    expect(new Set(steps).size).toBe(3);
    expect(steps[0].negative.rows).toEqual(embedsOf('', { weighting: 'none' }));
    expect(steps[5].negative.rows).toEqual(embedsOf('big', { weighting: 'none' }));
  });

  test('AND has a conditioning and a weight for each part, all of one length', () => {
    const long = Array(80).fill('cat').join(' ');
    const [{ parts, negative }] = stepsOf(`red circle AND ${long} :0.5 AND [blue:green:3] square:-1`);
    expect(parts.map(({ weight }) => weight)).toEqual([1, 0.5, -1]);
    expect(parts.map(({ rows }) => rows.length)).toEqual(Array(3).fill(154 * d));
    // The shorter ones go on with their last row; the negative prompt is sampled apart.
    expect(parts[0].rows.subarray(153 * d)).toEqual(parts[0].rows.subarray(76 * d, 77 * d));
    expect(parts[0].tokens[153]).toBeNull();
    expect(negative.rows.length).toBe(77 * d);
  });

  test('BREAK makes a context of two chunks', () => {
    const [{ parts }] = stepsOf('red circle BREAK blue square');
    expect(parts[0].rows.length).toBe(154 * d);
    expect(parts[0].tokens.flatMap((token, row) => (token?.kind === 'eos' ? [row] : []))).toEqual([3, 80]);
  });

  test.each(methodNames)('%s weighs the text of each step', (weighting) => {
    const steps = stepsOf('a [(red:1.4):(blue:0.6):0.5] circle', { weighting, normalisation: 'none' });
    const { readings, readingOf } = readSteps(
      'a [(red:1.4):(blue:0.6):0.5] circle',
      { ...defaultOptions, steps: 10 },
      tokenizer,
      'positive',
    );
    for (const [step, { parts }] of steps.entries())
      expectClose(`step ${step}`, parts[0].rows, promptEmbeds(readings[readingOf[step]], fakeZ, weighting)[0], 1e-6);
    expect(steps[0].parts[0].rows).not.toEqual(steps[9].parts[0].rows);
  });
});

/** By how much a mean is restored. */
const ratioOf = (before: readonly number[], after: readonly number[]) => sumOf(before) / sumOf(after);
const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

test.each(methodNames)('%s: the texts of a schedule have as many chunks as the longest of them', (weighting) => {
  const options = { ...defaultOptions, steps: 10, weighting, normalisation: 'none' } as const;
  const steps = stepsOf('a (red:1.2) circle[ : BREAK a (big:1.5) square:0.5]', options);
  expect(steps.map(({ parts }) => parts[0].rows.length)).toEqual(Array(10).fill(2 * 77 * d));
  expect(steps.map(({ parts }) => parts[0].tokens[77] === null)).toEqual([
    ...Array(6).fill(true),
    ...Array(4).fill(false),
  ]);
  const short = preparePrompt('a (red:1.2) circle', options, tokenizer);
  const second = preparePrompt('a (big:1.5) square', options, tokenizer).texts[0].weighted.chunks[0];
  const { empty } = short.texts[0].weighted;
  const e = [...fakeZ(empty)];
  // A1111 restores the mean of the second chunk over both texts, ADV_CLIP_emb that of both chunks of this text.
  const own = [...fakeZ(short.texts[0].weighted.chunks[0].pass)];
  const weigh = (z: readonly number[], weights: Float64Array) =>
    z.map((value, i) => value * weights[Math.floor(i / d)]);
  const other = [...fakeZ(second.pass)];
  const factor =
    weighting === 'original'
      ? ratioOf([...e, ...other], [...e, ...weigh(other, second.perTokenWeights)])
      : weighting === 'adv-a1111'
        ? ratioOf([...own, ...e], [...weigh(own, short.texts[0].weighted.chunks[0].perTokenWeights), ...e])
        : 1;
  const rows = steps[0].parts[0].rows;
  expectClose(
    'completion',
    rows.subarray(77 * d),
    e.map((value) => value * factor),
    1e-6,
  );
  if (weighting === 'adv-a1111') {
    const scaled = promptEmbeds(short, fakeZ, 'scale')[0];
    expectClose(
      'own rows',
      rows.subarray(0, 77 * d),
      scaled.map((value) => value * factor),
      1e-6,
    );
  } else expect(rows.subarray(0, 77 * d)).toEqual(promptEmbeds(short, fakeZ, weighting)[0]);
});

test('Compel’s blend is one conditioning, and its sides are equally long', () => {
  const compel = { syntax: 'compel', weighting: 'compel-mask', split: 'BRUTAL', steps: 3 } as const;
  const prompt = '("a red circle", "a blue square").blend(1, 3)';
  const steps = stepsOf(prompt, compel, Array(80).fill('cat').join(' '));
  expect(new Set(steps).size).toBe(1);
  const [{ parts, negative }] = steps;
  expect(parts[0].rows.subarray(0, 77 * d)).toEqual(embedsOf(prompt, compel));
  expect(parts[0].rows.subarray(77 * d)).toEqual(embedsOf('', compel));
  expect(negative.rows.length).toBe(154 * d);
});

test('ComfyUI’s prompts stay as long as they are, and brackets of A1111 are text', () => {
  const steps = stepsOf(
    'a [red:blue:0.5] circle',
    { syntax: 'comfy', weighting: 'comfy' },
    Array(80).fill('cat').join(' '),
  );
  expect(new Set(steps).size).toBe(1);
  expect(steps[0].parts[0].rows.length).toBe(77 * d);
  expect(steps[0].negative.rows.length).toBe(154 * d);
});

describe('a sampler of fewer calls than steps', () => {
  const redOrBlue = (prompt: string, calls: number, steps = 20) =>
    textsOf(atCalls(stepsOf(prompt, { steps }), calls)).map(([text]) => (text.includes('red') ? 'r' : 'b'));

  test('changes from one text to the other at the same share of the way', () => {
    expect(redOrBlue('a [red:blue:0.25] circle', 5).join('')).toBe('rrbbb');
    expect(redOrBlue('a [red:blue:0.5] circle', 5).join('')).toBe('rrrbb');
    expect(redOrBlue('a [red:blue:15] circle', 5).join('')).toBe('rrrrb');
    expect(redOrBlue('a [red:blue:0.5] circle', 4).join('')).toBe('rrbb');
  });

  test.each([2, 4, 5, 7, 10, 19])('of %i calls, an alternation goes on alternating', (calls) => {
    const told = redOrBlue('a [red|blue] circle', calls);
    const reds = told.filter((text) => text === 'r').length;
    // Eleven of the twenty steps are red, for the first text is told twice.
    expect(Math.abs(reds - (11 / 20) * calls)).toBeLessThan(1);
    expect(told.join('')).not.toMatch(/rrr|bbb/);
  });

  test('tells every option of an alternation, whatever its steps and calls have in common', () => {
    for (const options of [2, 3, 4, 5])
      for (const calls of [options, 2 * options, 3 * options])
        for (const times of [1, 2, 3, 4]) {
          const steps = Array.from({ length: calls * times }, (_, step) => step % options);
          const told = atCalls(steps, calls);
          const counts = steps.slice(0, options).map((one) => told.filter((other) => other === one).length);
          expect(counts, `${options} options, ${calls} of ${steps.length}`).toEqual(
            Array(options).fill(calls / options),
          );
        }
  });

  test('is told nothing that its own stretch of the steps is not told', () => {
    const steps = [...'aabababccccdcdcdeeee'];
    for (const calls of [1, 2, 3, 5, 7, 13, 20]) {
      const told = atCalls(steps, calls);
      expect(told).toHaveLength(calls);
      for (const [call, one] of told.entries()) {
        const stretch = steps.slice(
          Math.floor((call * steps.length) / calls),
          Math.ceil(((call + 1) * steps.length) / calls),
        );
        expect(stretch).toContain(one);
      }
    }
  });

  test('of as many calls as steps or more, it is told all of them in order', () => {
    const steps = [...'aabab'];
    expect(atCalls(steps, 5)).toEqual(steps);
    expect(atCalls(steps, 10).join('')).toBe('aaaabbaabb');
  });
});
