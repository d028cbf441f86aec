import { describe, expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import { type EncoderOutput, type EncoderPass, passKey } from '../clip/encoderPass.ts';
import type { Side } from '../prompt/side.ts';
import { whole } from '../prompt/slices.ts';
import { syntaxes } from '../prompt/syntax.ts';
import type { PromptOptions } from '../road/options.ts';
import { preparePrompt, promptEmbeds, promptPasses } from '../road/pipeline.ts';
import { d, fakeZ, tokenizer } from '../road/testing/prompts.ts';
import { methodNames, ownMethod } from '../weighting/methods.ts';
import { shownWeighted } from './encoded.ts';
import { exportedPasses, exportWork } from './exporting.ts';
import type { EncodedPass, Facts } from './facts.ts';
import { prepared } from './reading.ts';

import { createClipscopeStore } from './store.ts';
import { idleEncoder, onGpu, tokenized } from './testing/fakeEncoder.ts';

const L = 77;
const long = `${'a cat on grass, '.repeat(40)}(and dogs:0.5)`;
const prompts: Readonly<Record<PromptOptions['syntax'], readonly string[]>> = {
  a1111: [
    'a (red:1.3) car, [blurry] background',
    'a (red:1.3) cat :1.2 AND a [dog] BREAK (grass:0.4) AND fog',
    'a [(red:1.5):blue:0.5] cat and a [dog|(horse:1.2)]',
    `[(red:1.5):blue:0.5] AND ${long}`,
    long,
    '',
  ],
  compel: [
    'a (red)1.3 car',
    '("a cat", "a dog").blend(0.7, 0.3)',
    '("a cat++", "a dog-").blend(0.7, -0.2, no_normalize)',
    '("a cat", "a (dog)0.4").and(1, 0.5)',
    `("${long}", "a (dog)1.4").blend(1, 3)`,
    `("a (dog)0.6", "${long}").and(0.5, 2)`,
    long,
  ],
  comfy: ['a (red:1.3) car', long, `(${long}:1.2)`],
};

const store = createClipscopeStore({ connect: () => idleEncoder, loadTokenizer: async () => tokenizer, memory: null });
await tokenized(store);

/** Facts of a page on which everything that an export takes is encoded, to `fakeZ`. */
function encodedFacts(positive: string, negative: string, changed: Partial<PromptOptions>): Facts {
  const facts: Facts = {
    ...store.getState(),
    prompts: { positive, negative },
    options: { ...store.getState().options, split: 'WORDS', steps: 20, step: 12, ...changed },
    model: {
      name: 'made up',
      engine: onGpu,
      random: true,
      config: { ...clipTiny, hiddenSize: d },
      dtype: 'F32',
      heldBytes: 0,
      finalLayerNorm: { weight: new Float32Array(d), bias: new Float32Array(d) },
    },
  };
  const sides = [prepared(facts, 'positive')!, prepared(facts, 'negative')!];
  const passes = [
    ...exportedPasses(facts),
    ...sides.flatMap((side) => [...side.chunks.map(({ pass }) => pass), ...promptPasses(side, 'none')]),
  ];
  const encoded = passes.map((pass): [string, EncodedPass] => {
    const output: EncoderOutput = {
      lastHiddenState: fakeZ(pass),
      hiddenStates: new Map(),
      attentions: new Float32Array(1),
    };
    return [passKey(pass), { output, stats: { milliseconds: 1, rowsComputed: L, rowsTotal: L }, revision: 0 }];
  });
  return { ...facts, encoded: new Map([['', new Map(encoded)]]) };
}

/** The rows of a chunk in the exported file. */
function exportedRows(facts: Facts, side: Side, conditioning: number, chunk: number): Float32Array {
  const name = `${side === 'negative' ? 'negative_' : ''}prompt_embeds`;
  const tensors = whole(exportWork(facts)!()).tensors.filter((tensor) => tensor.name.startsWith(name));
  return (tensors[conditioning].data as Float32Array).slice(chunk * L * d, (chunk + 1) * L * d);
}

/** Every chunk of a side as the Embeddings panel shows it. */
function panels(facts: Facts, side: Side) {
  return prepared(facts, side)!.chunks.map((_, chunk) => shownWeighted({ ...facts, side, chunk })!);
}

describe.each(syntaxes.flatMap((syntax) => prompts[syntax].map((prompt) => ({ syntax, prompt }))))(
  '$syntax: $prompt',
  ({ syntax, prompt }) => {
    const [other] = prompts[syntax];

    test.each(methodNames)('by %s the panel shows the exported rows, to the bit', (weighting) => {
      for (const side of ['positive', 'negative'] as const) {
        const [positive, negative] = side === 'positive' ? [prompt, other] : [other, prompt];
        const facts = encodedFacts(positive, negative, { syntax, weighting });
        for (const { after, place } of panels(facts, side))
          expect(after).toEqual(exportedRows(facts, side, place.conditioning, place.chunk));
      }
    });

    test('before weighting it shows the exported rows of the method without weights', () => {
      const weighted = encodedFacts(prompt, other, { syntax, weighting: ownMethod[syntax] });
      const unweighted = encodedFacts(prompt, other, { syntax, weighting: 'none' });
      for (const { before, place } of panels(weighted, 'positive'))
        expect([...before]).toEqual([...exportedRows(unweighted, 'positive', place.conditioning, place.chunk)]);
    });

    test('every row of every conditioning is on some panel', () => {
      const facts = encodedFacts(prompt, other, { syntax, weighting: 'none' });
      const shown = new Set(panels(facts, 'positive').map(({ place }) => `${place.conditioning} ${place.chunk}`));
      const embeds = promptEmbeds(prepared(facts, 'positive')!, fakeZ, 'none');
      const all = embeds.flatMap(({ length }, i) =>
        Array.from({ length: length / L / d }, (_, chunk) => `${i} ${chunk}`),
      );
      expect([...shown].sort()).toEqual(all.sort());
    });
  },
);

test('a text of a blend by itself is shown as if it were the whole prompt', () => {
  const changed = { syntax: 'compel', weighting: 'compel-mask' } as const;
  const facts = encodedFacts('("a cat++", "a (dog)0.4").blend(0.7, 0.3)', '', changed);
  const alone = shownWeighted({ ...facts, chunk: 1, textAlone: true })!;
  expect(alone.isAlone).toBe(true);
  const single = preparePrompt('a (dog)0.4', facts.options, tokenizer);
  expect(alone.after).toEqual(promptEmbeds(single, fakeZ, 'compel-mask')[0]);
  expect(alone.before).toEqual(fakeZ(single.chunks[0].pass));
  expect(alone.place.texts).toEqual([
    { text: 0, factor: 0.7 },
    { text: 1, factor: 0.3 },
  ]);
});

test('by maps of rows the file has what float64 makes of them in both prompts, and all other rows are the encoder’s', () => {
  const rowMaps = '1: z * 1.3; 2-3: empty + w * (z - empty); 4: mean; 5: z - proj(z, r); 6, 7: alone; r = a blue dog';
  const facts = encodedFacts('a (red:1.4) cat on the moon', 'fog', { weighting: 'psi', rowMaps });
  const empty = fakeZ(prepared(facts, 'positive')!.texts[0].weighted.empty);
  const other = fakeZ(preparePrompt('a blue dog', facts.options, tokenizer).chunks[0].pass);
  const row = (of: ArrayLike<number>, at: number) => Array.from({ length: d }, (_, i) => of[at * d + i]);
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const expectedRow = (pass: EncoderPass, at: number): number[] => {
    const z = fakeZ(pass);
    const own = row(z, at);
    const weight = pass === prepared(facts, 'positive')!.chunks[0].pass && at === 2 ? 1.4 : 1;
    if (at === 1) return own.map((value) => value * 1.3);
    if (at === 2 || at === 3) return own.map((value, i) => row(empty, at)[i] + weight * (value - row(empty, at)[i]));
    if (at === 4) return own.map((_, i) => z.reduce((sum, value, k) => (k % d === i ? sum + value : sum), 0) / L);
    if (at === 5) {
      const r = row(other, at);
      return own.map((value, i) => value - (dot(own, r) / dot(r, r)) * r[i]);
    }
    if (at === 6 || at === 7)
      return row(fakeZ({ ...pass, keyMask: pass.keyMask.map((_, key) => Number([0, 6, 7].includes(key))) }), at);
    return own;
  };
  for (const side of ['positive', 'negative'] as const) {
    const exported = exportedRows(facts, side, 0, 0);
    const { pass } = prepared(facts, side)!.chunks[0];
    for (let at = 0; at < L; at++)
      for (const [i, value] of expectedRow(pass, at).entries())
        expect(Math.abs(exported[at * d + i] - value), `${side} ${at}`).toBeLessThan(1e-5);
    expect(panels(facts, side)[0].after).toEqual(exported);
  }
});
