import { describe, expect, test } from 'vitest';
import { expectClose } from '../clip/testing/recorded.ts';
import { defaultOptions, type PromptOptions } from '../road/options.ts';
import { preparePrompt, promptEmbeds } from '../road/pipeline.ts';
import { fakeZ, d as promptWidth, tokenizer } from '../road/testing/prompts.ts';
import type { DenoiserConfig } from './denoiserConfig.ts';
import type { DenoiserEngine, NoisyPictures } from './denoiserEngine.ts';
import { type Draft, drawingOn, lookSide, type PixelLooks } from './drawing.ts';
import { drawnLength } from './drawnPicture.ts';
import { type ConditionedRows, readSteps, type StepConditioning, stepConditionings } from './promptSteps.ts';
import { seededNoise } from './sampler.ts';

/** A question that the denoiser was asked: a picture, and the rows that it was told. */
interface Asked {
  readonly x: Float32Array;
  readonly t: number;
  readonly rows: readonly number[];
}

/** A made-up answer that tells rows apart by their first and last number, and by how many there are. */
const answerTo = (rows: ArrayLike<number>) => 0.6 * rows[0] + 0.4 * rows[rows.length - 1] + rows.length / 100;
/** The share of the noisy picture that stays in an answer. */
const kept = 0.25;

/** A denoiser that answers with `kept` of each picture plus `answerTo` its rows, and keeps what it was asked, call by call. */
function fakeEngine(B: number, T: number, contextWidth: number) {
  const batches: Asked[][] = [];
  const config = { contextWidth } as DenoiserConfig;
  function predict({ x, times, contexts }: NoisyPictures) {
    expect(times.length).toBeLessThanOrEqual(B);
    expect(contexts).toHaveLength(times.length);
    expect(contexts.reduce((sum, rows) => sum + rows.length, 0)).toBeLessThanOrEqual(B * T * contextWidth);
    const pictures = Float32Array.from(x);
    const asked = contexts.map(
      (rows, b): Asked => ({
        x: pictures.slice(b * drawnLength, (b + 1) * drawnLength),
        t: times[b],
        rows: [...rows],
      }),
    );
    batches.push(asked);
    const clean = new Float32Array(pictures.length);
    for (const [b, { x: own, rows: told }] of asked.entries())
      clean.set(
        own.map((value) => kept * value + answerTo(told)),
        b * drawnLength,
      );
    // Each square looks at each row once.
    const looks = contexts.map(({ length }) => {
      const rowCount = length / contextWidth;
      return [{ name: 'cross', side: 1, heads: 1, T: rowCount, probabilities: new Float32Array(rowCount).fill(1) }];
    });
    return { clean, looks };
  }
  const engine: DenoiserEngine = { config, room: { B, T }, predict, destroy() {} };
  return { engine, batches };
}

async function draw(engine: DenoiserEngine, drafts: readonly Draft[], guidance: number, looks?: readonly PixelLooks[]) {
  let pictures: ArrayLike<number> = [];
  for await (const { x } of drawingOn(engine, drafts, { sampler: 'flow', guidance, looks })) pictures = x;
  return pictures;
}

const d = 2;
/** Rows of a text, each number its own. */
const rowsOf = (text: number, count: number): ConditionedRows => ({
  rows: Float32Array.from({ length: count * d }, (_, i) => text + i / 64),
  tokens: Array(count).fill(null),
});
const stepOf = (
  parts: readonly (readonly [number, ConditionedRows])[],
  negative: ConditionedRows,
): StepConditioning => ({
  parts: parts.map(([weight, rows]) => ({ weight, ...rows })),
  negative,
});

const [red, blue, fog, mud, circle, star, moon, nothing] = [2, 5, 3, 1, 4, 7, 1, 6].map((count, text) =>
  rowsOf(text + 1, count),
);
/** A schedule beside a negative one, an AND of which a part alternates, and a part with whose weight nothing of the negative prompt is left. */
const drafts: readonly Draft[] = [
  {
    seed: 1,
    steps: [stepOf([[1, red]], fog), stepOf([[1, red]], fog), stepOf([[1, blue]], fog), stepOf([[1, blue]], mud)],
  },
  {
    seed: 2,
    steps: [star, moon, star, moon].map((other) =>
      stepOf(
        [
          [1, circle],
          [-0.3, other],
        ],
        nothing,
      ),
    ),
  },
  { seed: 3, steps: Array(4).fill(stepOf([[0.5, moon]], nothing)) },
];

/** The picture of a draft, by hand: u + guidance · Σ w (c − u) is the clean picture, to which each step goes 1 / (calls left) of the way. */
function byHand({ seed, steps }: Draft, guidance: number): number[] {
  return [...seededNoise([seed])].map((noise) => {
    let x = noise;
    for (const [call, { parts, negative }] of steps.entries()) {
      const u = kept * x + answerTo(negative.rows);
      let clean = u;
      for (const { weight, rows } of parts) clean += guidance * weight * (kept * x + answerTo(rows) - u);
      x += (clean - x) / (steps.length - call);
    }
    return x;
  });
}

describe.each([
  [1, 7],
  [3, 7],
  [8, 7],
  // Room for as many pictures, but not for all of their rows.
  [8, 1],
])('with room for %i pictures of %i rows', (B, T) => {
  test('each call tells each picture its own texts, and weighs the answers by the parts', async () => {
    const { engine, batches } = fakeEngine(B, T, d);
    const pictures = await draw(engine, drafts, 2);
    expectClose(
      'pictures',
      pictures,
      drafts.flatMap((draft) => byHand(draft, 2)),
      1e-4,
    );
    const asked = batches.flat();
    // Two questions for the schedule, three for the AND, one for the part that needs no negative prompt.
    expect(asked).toHaveLength(4 * (2 + 3 + 1));
    const texts = asked.map(({ rows }) => Math.floor(rows[0]));
    expect(texts).toEqual([...[1, 3, 5, 6, 8, 7], ...[1, 3, 5, 7, 8, 7], ...[2, 3, 5, 6, 8, 7], ...[2, 4, 5, 7, 8, 7]]);
    expect(asked.map(({ t }) => t)).toEqual([1, 0.75, 0.5, 0.25].flatMap((t) => Array(6).fill(t)));
    // All questions about a picture have the picture as it is in that call.
    for (let call = 0; call < 4; call++) {
      const pictureOf = (question: number) => asked[6 * call + question].x;
      expect(pictureOf(1)).toEqual(pictureOf(0));
      expect(pictureOf(3)).toEqual(pictureOf(2));
      expect(pictureOf(4)).toEqual(pictureOf(2));
      expect(pictureOf(5)).not.toEqual(pictureOf(4));
    }
  });

  test('looks are summed over the calls with the last text of a part, whatever the negative prompt says in them', async () => {
    const looks: PixelLooks[] = drafts.map(() => ({ parts: [] }));
    const { engine } = fakeEngine(B, T, d);
    await draw(engine, drafts, 2, looks);
    const squares = lookSide * lookSide;
    const counts = looks.map(({ parts }) => parts.map((sums) => [sums.length / squares, ...new Set(sums)]));
    // Rows of the part, and the calls that looked at them.
    expect(counts).toEqual([
      [[5, 2]],
      [
        [4, 4],
        [1, 2],
      ],
      [[1, 4]],
    ]);
  });
});

test.each([1, 3, 8])(
  'from the prompts on, each call has the texts that A1111 has then, in batches of %i',
  async (B) => {
    const options: PromptOptions = { ...defaultOptions, weighting: 'none', steps: 4 };
    const read = (prompt: string, side: 'positive' | 'negative') => readSteps(prompt, options, tokenizer, side);
    const long = Array(80).fill('cat').join(' ');
    const prompts = {
      positive: read(`a [red:blue:2] circle AND a [[big|small]:grey:0.5] square ${long} :-0.5`, 'positive'),
      negative: read('[fog:mud:0.25]', 'negative'),
    };
    const steps = stepConditionings(prompts, options, fakeZ);
    const { engine, batches } = fakeEngine(B, 154, promptWidth);
    await draw(engine, [{ seed: 1, steps }], 3);
    const asked = batches.flat().map(({ rows }) => rows);
    const embedsOf = (text: string) => [...promptEmbeds(preparePrompt(text, options, tokenizer), fakeZ, 'none')[0]];
    // A1111 makes the parts equally long by repeating the last row, and samples the negative prompt apart.
    const completed = (rows: number[]) => [...rows, ...Array(77).fill(rows.slice(-promptWidth)).flat()];
    // Call c has the text of step c, and the first call that of step 1, too.
    const expected = [
      ['a red circle', 'a big square', 'fog'],
      ['a red circle', 'a big square', 'fog'],
      ['a red circle', 'a small square', 'mud'],
      ['a blue circle', 'a grey square', 'mud'],
    ].flatMap(([first, second, negative]) => [
      completed(embedsOf(first)),
      embedsOf(`${second} ${long}`),
      embedsOf(negative),
    ]);
    expect(asked).toHaveLength(expected.length);
    for (const [i, rows] of expected.entries()) expect(asked[i], `question ${i}`).toEqual(rows);
  },
);
