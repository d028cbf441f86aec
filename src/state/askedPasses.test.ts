/** Everything that a view reads was asked for: by any method, in any language, with any weights, masks and clip skip. */

import { describe, expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import { type EncoderPass, passKey } from '../clip/encoderPass.ts';
import { type MaskMode, maskModes } from '../clip/masks.ts';
import { whole as wholeOf } from '../prompt/slices.ts';
import { type Syntax, syntaxes } from '../prompt/syntax.ts';
import fc from '../properties.ts';
import { clipSkipHiddenStates } from '../road/clipSkip.ts';
import type { PromptOptions } from '../road/options.ts';
import type { ProgramPair } from '../road/study/programs.ts';
import { d, fakeZ, tokenizer } from '../road/testing/prompts.ts';
import { distinct } from '../weighting/method.ts';
import { methodNames } from '../weighting/methods.ts';
import { tokenNormalisations } from '../weighting/normalise.ts';
import { explainRow } from '../weighting/study/explain.ts';
import { answeringPrompt, shownAnswer } from './answering.ts';
import { encodedZ, shownWeighted } from './encoded.ts';
import { exportedMetadata, exportedPasses, exportedShapes, exportWork, writeSession } from './exporting.ts';
import type { EncodedPass, Facts } from './facts.ts';
import { methodsWork, shownBench, shownBenchPasses, shownSweep, shownSweepPlan, sweepAt } from './methodBench.ts';
import { ownPasses } from './passPlan.ts';
import { differenceWork, programPasses, programsWork } from './programReadings.ts';
import { prepared } from './reading.ts';
import { createClipscopeStore } from './store.ts';
import { idleEncoder, onGpu, tokenized } from './testing/fakeEncoder.ts';

const pairs: readonly ProgramPair[] = [
  ['a1111', 'compel'],
  ['a1111', 'comfy'],
  ['compel', 'comfy'],
];

const store = createClipscopeStore({ connect: () => idleEncoder, loadTokenizer: async () => tokenizer, memory: null });
await tokenized(store);

function factsOf(positive: string, negative: string, changed: Partial<PromptOptions>): Facts {
  return {
    ...store.getState(),
    prompts: { positive, negative },
    options: { ...store.getState().options, step: 7, ...changed },
    model: {
      name: 'made up',
      engine: onGpu,
      random: true,
      config: { ...clipTiny, hiddenSize: d },
      dtype: 'F32',
      heldBytes: 0,
      finalLayerNorm: { weight: new Float32Array(d).fill(1), bias: new Float32Array(d) },
    },
  };
}

/** The facts with these passes encoded and nothing else, each with the states alone that clip skip reads. */
function withEncoded(facts: Facts, passes: readonly EncoderPass[], attentions = false): Facts {
  const states = clipSkipHiddenStates(facts.options.clipSkip, clipTiny);
  const encoded = passes.map((pass): [string, EncodedPass] => [
    passKey(pass),
    {
      output: {
        lastHiddenState: fakeZ(pass),
        hiddenStates: new Map(states.map((index) => [index, fakeZ(pass)])),
        ...(attentions && { attentions: new Float32Array(1) }),
      },
      stats: { milliseconds: 1, rowsComputed: 77, rowsTotal: 77 },
      revision: 0,
    },
  ]);
  return { ...facts, encoded: new Map([['', new Map(encoded)]]) };
}

/** Reads all that the views read, each from the passes alone that it asks for. */
function readAll(facts: Facts) {
  const exported = withEncoded(facts, exportedPasses(facts));
  expect(wholeOf(exportWork(exported)!()).tensors).toHaveLength(exportedShapes(exported)!.length);
  expect(exportedMetadata(exported)).toBeDefined();
  expect(JSON.parse(writeSession(exported)).prompts).toEqual(facts.prompts);

  const { chunks, texts } = prepared(facts, facts.side)!;
  const own = ownPasses(facts, facts.side);
  const answered = withEncoded(facts, own);
  expect(wholeOf(answeringPrompt(shownAnswer(answered)!)).sentences.length).toBeGreaterThan(0);

  const bench = withEncoded(facts, shownBenchPasses(facts));
  const { text, zOf, comparison } = wholeOf(methodsWork(shownBench(bench)!)());
  expect(comparison.methods).toHaveLength(methodNames.length);
  for (const name of methodNames) for (let row = 0; row < 77; row += 19) explainRow(name, text.weighted, row, zOf);

  for (const chunk of chunks.keys()) {
    const shown = withEncoded({ ...facts, chunk }, distinct([chunks[chunk].pass, ...own]), true);
    expect(shownWeighted(shown)).toBeDefined();
    const z = encodedZ(shown, own)!;
    const { weighted } = texts[chunks[chunk].text];
    if (!texts.some(({ operator }) => operator === 'blend' || operator === 'and'))
      for (let row = 0; row < 12; row++) explainRow(facts.options.weighting, weighted, row, z);
  }

  const plan = shownSweepPlan(facts, null);
  if (plan) {
    const passes = wholeOf(plan.listPasses());
    sweepAt(shownSweep(withEncoded(facts, passes), plan, passes)!, 0.5);
  }
  const study = wholeOf(programsWork(facts)!());
  for (const pair of pairs) wholeOf(differenceWork(withEncoded(facts, programPasses(study, pair)), study, pair)!());
}

const huge = '9'.repeat(400);
const weights = ['0', '-1', '1', '0.4', '1.3', '666', huge, `-${huge}`];
const word = fc.constantFrom('cat', 'a red dog', 'sea, fog', 'on grass '.repeat(40).trim());
const weighted: Readonly<Record<Syntax, (text: string, weight: string) => string>> = {
  a1111: (text, weight) => `(${text}:${weight})`,
  compel: (text, weight) => `(${text})${weight}`,
  comfy: (text, weight) => `(${text}:${weight === huge ? 'inf' : weight})`,
};
const whole: Readonly<Record<Syntax, readonly ((text: string, weight: string) => string)[]>> = {
  a1111: [
    (text) => `${text} BREAK fog`,
    (text, weight) => `${text} :${weight} AND a dog`,
    (text) => `[${text}:fog:0.5]`,
    (text) => `[${text}|(fog:0)|sea]`,
  ],
  compel: [
    (text, weight) => `("${text}", "a dog").blend(1, ${weight})`,
    (text, weight) => `("${text}", "a dog").and(1, ${weight})`,
  ],
  comfy: [],
};

function promptOf(syntax: Syntax): fc.Arbitrary<string> {
  const piece = fc.tuple(word, fc.option(fc.constantFrom(...weights)));
  return fc
    .tuple(
      fc.array(piece, { maxLength: 3 }),
      fc.constantFrom(...weights),
      fc.constantFrom((text: string) => text, ...whole[syntax]),
    )
    .map(([pieces, weight, around]) =>
      around(pieces.map(([text, own]) => (own ? weighted[syntax](text, own) : text)).join(' '), weight),
    );
}

/** Maps of rows of both prompts, of which the last ask for passes of its own; rows that there are not, too. */
const rowMaps = [
  '',
  '1: w * z; 3-90: empty + 2 * (z - empty)',
  '2: alone; 3-5, 80: alone; 1: z - proj(z, r); r = a blue dog',
];

const pageOf = (syntax: Syntax) =>
  fc.record({
    positive: promptOf(syntax),
    negative: promptOf(syntax),
    side: fc.constantFrom('positive' as const, 'negative' as const),
    mask: fc.constantFrom(...maskModes),
    clipSkip: fc.integer({ min: 1, max: clipTiny.numHiddenLayers + 1 }),
    normalisation: fc.constantFrom(...tokenNormalisations),
    split: fc.constantFrom('cut' as const, 'WORDS' as const),
    clsTokens: fc.constantFrom('own' as const, 'MERGE_CLS_TOKENS' as const),
    rowMaps: fc.constantFrom(...rowMaps),
  });

describe.each(syntaxes.flatMap((syntax) => methodNames.map((weighting) => ({ syntax, weighting }))))(
  '$syntax, $weighting',
  ({ syntax, weighting }) => {
    test('every view reads what it asked for, and none throws', () => {
      fc.assert(
        fc.property(pageOf(syntax), ({ positive, negative, side, ...options }) => {
          readAll({ ...factsOf(positive, negative, { syntax, weighting, ...options }), side });
        }),
        { numRuns: 4 },
      );
    });

    test('a word of weight 0 beside another, under every mask and on both sides', () => {
      const prompts = [`${weighted[syntax]('cat', '0')} dog`, ''] as const;
      for (const mask of maskModes as readonly MaskMode[])
        for (const [positive, negative] of [prompts, [...prompts].reverse()])
          for (const side of ['positive', 'negative'] as const)
            readAll({ ...factsOf(positive, negative, { syntax, weighting, mask }), side });
    });
  },
);

test('maps of rows ask for what they name, and for no more; one of theirs that was not asked for is missed', () => {
  const passesOf = (rowMaps: string, weighting: PromptOptions['weighting'] = 'psi') =>
    exportedPasses(factsOf('a red cat', 'fog', { weighting, rowMaps }));
  const [, none, named] = rowMaps;
  expect(passesOf('')).toHaveLength(2);
  // The empty prompt beside both prompts; two of them alone by each map that says so, and the other prompt.
  expect(passesOf(none)).toHaveLength(3);
  expect(passesOf(named)).toHaveLength(2 + 4 + 1);
  expect(passesOf(named, 'none')).toHaveLength(2);
  const facts = factsOf('a red cat', 'fog', { weighting: 'psi', rowMaps: named });
  const passes = exportedPasses(facts);
  expect(exportWork(withEncoded(facts, passes))).not.toBeNull();
  for (const at of passes.keys()) expect(exportWork(withEncoded(facts, passes.toSpliced(at, 1))), `${at}`).toBeNull();
});

test('a pass that was not asked for is missed', () => {
  const facts = factsOf('(cat:0) dog', '', { weighting: 'adv-comfy++' });
  const passes = exportedPasses(facts);
  const [{ pass }] = prepared(facts, 'positive')!.chunks;
  expect(passes.map(passKey)).not.toContain(passKey(pass));
  expect(exportWork(withEncoded(facts, passes.slice(1)))).toBeNull();
});
