import { expect, test } from 'vitest';
import type { LiveStep } from '../../training/liveRun.ts';
import type { LabCalls, LabFrame, Trained } from '../../worker/lab/labMessages.ts';
import { runCsv } from './labCsv.ts';
import { labOrigin } from './labOrigin.ts';
import { defaultLab, type LabSettings } from './labSettings.ts';
import { createLab, mostSteps, pairsSeen, shownLogScale, stepsMade } from './labStore.ts';

interface Asked {
  readonly type: keyof LabCalls;
  readonly request: LabCalls['start']['request'] & LabCalls['train']['request'];
  readonly signal: AbortSignal;
  answer(answer: unknown): void;
  fail(error: Error): void;
}

const frame = (step: number): LabFrame => ({
  ...{ step, E: 2, logScale: 2, bias: 0 },
  ...{ u: Float64Array.of(1, 0, 0, 1), v: Float64Array.of(1, 0, 0, 1), cosines: Float64Array.of(1, 0, 0, 1) },
  ...(step === 0 && {
    batch: { captions: ['a', 'b'], alike: Uint32Array.of(0, 1), pictures: new Uint8ClampedArray(0) },
  }),
});
const started = { parameters: 5, frame: frame(0) };
const step = (number: number, loss = 1): LiveStep => ({
  ...{ step: number, loss, diagonal: 0.5, logScale: 2, bias: 0, dlogScale: 0, gradientNorm: 1 },
});
const trained = (...numbers: number[]): Trained => ({
  ...{ steps: numbers.map((number) => step(number)), measured: [], frame: frame(numbers.at(-1)!) },
});

/** A lab with a worker that answers when it is told to. */
function startLab(changes: Partial<LabSettings> = {}, playsAtFirst = true) {
  const asked: Asked[] = [];
  const waits: (() => void)[] = [];
  const lab = createLab({
    ask: (type, request, { signal } = {}) =>
      new Promise((resolve, reject) => {
        asked.push({ type, request, signal, answer: resolve, fail: reject } as unknown as Asked);
      }),
    settings: { ...defaultLab, ...changes },
    merges: 'merges',
    playsAtFirst,
    wait: (_, signal) =>
      new Promise((resolve) => {
        waits.push(resolve);
        signal.addEventListener('abort', () => resolve());
      }),
  });
  const settle = () => new Promise((resolve) => setTimeout(resolve));
  const answer = async (what: unknown) => {
    asked.at(-1)!.answer(what);
    await settle();
  };
  return { lab, asked, waits, answer, settle, facts: lab.getState };
}

test('nothing runs before the lab is shown; then it plays, and asks for the next steps as soon as it has some', async () => {
  const { asked, answer, facts } = startLab();
  expect(asked).toHaveLength(0);
  facts().show();
  expect(asked[0]).toMatchObject({ type: 'start', request: { settings: { seed: 1, batch: 32 }, merges: 'merges' } });
  await answer(started);
  expect(asked[1]).toMatchObject({ type: 'train', request: { watched: 'fixed', knobs: { temperature: 'learned' } } });
  await answer(trained(1, 2));
  expect(asked).toHaveLength(3);
  expect(facts().run.steps.map(({ step }) => step)).toEqual([1, 2]);
  expect(pairsSeen(facts().run)).toBe(64);
  expect(facts()).toMatchObject({ phase: 'ready', parameters: 5, batch: { captions: ['a', 'b'] }, frame: { step: 2 } });
});

test('a run of many steps keeps a bounded number of them, the last among them', async () => {
  const { answer, facts } = startLab();
  facts().show();
  await answer(started);
  const from = (first: number) => Array.from({ length: mostSteps }, (_, i) => first + i);
  const measured = { step: 40 } as Trained['measured'][number];
  await answer({ ...trained(...from(1)), measured: [measured] });
  await answer(trained(...from(mostSteps + 1).slice(0, -1)));
  // Every second one, the last among them, and the one that was measured.
  expect(facts().run.steps).toHaveLength(mostSteps + 1);
  expect(facts().run.steps.some(({ step }) => step === 40)).toBe(true);
  expect(stepsMade(facts().run)).toBe(2 * mostSteps - 1);
  expect(pairsSeen(facts().run)).toBe(32 * (2 * mostSteps - 1));
});

test('pausing and hiding end the call under way, whose steps are kept; playing and showing go on', async () => {
  const { asked, answer, facts } = startLab();
  facts().show();
  await answer(started);
  facts().pause();
  expect(asked[1].signal.aborted).toBe(true);
  await answer(trained(1));
  expect(facts().run.steps).toHaveLength(1);
  expect(asked).toHaveLength(2);
  facts().play();
  expect(asked).toHaveLength(3);
  facts().hide();
  expect(asked[2].signal.aborted).toBe(true);
  await answer(trained(2));
  expect(asked).toHaveLength(3);
  facts().show();
  expect(asked).toHaveLength(4);
  expect(facts().run.steps).toHaveLength(2);
});

test('a step is one step, and pauses', async () => {
  const { asked, answer, facts } = startLab({}, false);
  facts().show();
  await answer(started);
  expect(asked).toHaveLength(1);
  const stepping = facts().step();
  expect(asked[1].request.steps).toBe(1);
  await answer(trained(1));
  await stepping;
  expect(facts()).toMatchObject({ isPlaying: false, run: { steps: [{ step: 1 }] } });
  expect(asked).toHaveLength(2);
});

test('slow motion walks a step’s own batch through its layers before the next step', async () => {
  const { asked, answer, waits, settle, facts } = startLab({ isSlow: true });
  facts().show();
  await answer(started);
  expect(asked[1].request).toMatchObject({ steps: 1, watched: 'step' });
  await answer(trained(1));
  const stages = [facts().stage];
  for (let i = 0; i < 4; i++) {
    waits.at(-1)!();
    await settle();
    stages.push(facts().stage);
  }
  expect(stages).toEqual(['cosine', 'logits', 'byRow', 'byColumn', 'gradient']);
  expect(asked).toHaveLength(2);
  waits.at(-1)!();
  await settle();
  expect(asked).toHaveLength(3);
  facts().change({ isSlow: false });
  expect(asked[2].signal.aborted).toBe(true);
  expect(facts().stage).toBeNull();
  expect(asked.at(-1)!.request.steps).toBe(Number.POSITIVE_INFINITY);
});

test('a setting that a run cannot change begins a new one, and the one before stays as a record', async () => {
  const { asked, answer, facts } = startLab();
  facts().show();
  await answer(started);
  await answer(trained(1, 2, 3));
  facts().change({ learningRate: 1e-2, temperature: 0.05 });
  expect(asked.filter(({ type }) => type === 'start')).toHaveLength(1);
  expect(shownLogScale(facts())).toBeCloseTo(-Math.log(0.05), 12);
  await answer(trained(4));
  expect(asked.at(-1)!.request.knobs).toMatchObject({ learningRate: 1e-2, temperature: 0.05 });
  const late = asked.at(-1)!;
  facts().change({ batch: 64 });
  expect(late.signal.aborted).toBe(true);
  late.answer(trained(5));
  await answer(started);
  expect(facts().run.steps).toEqual([]);
  expect(facts().past.map(({ settings, steps }) => [settings.batch, steps.length])).toEqual([[32, 4]]);
  expect(asked.at(-1)!.type).toBe('train');
  facts().forgetPast();
  expect(facts().past).toEqual([]);
});

test('a comparison makes its runs one after the other, each until it has seen its pairs, and then stops', async () => {
  const { asked, answer, facts } = startLab();
  facts().show();
  await answer(started);
  facts().compare({ left: [{ batch: 8 }, { batch: 16 }], pairs: 32 });
  await answer(started);
  await answer(trained(1, 2));
  expect(asked.at(-1)!.type).toBe('train');
  await answer(trained(3, 4));
  expect(asked.at(-1)).toMatchObject({ type: 'start', request: { settings: { batch: 16 } } });
  await answer(started);
  await answer(trained(1, 2));
  expect(facts()).toMatchObject({ experiment: null, isPlaying: false });
  expect(facts().past.map(({ settings }) => settings.batch)).toEqual([8]);
});

test('an error is told, and a reset begins again; a loss that is no number stops the run', async () => {
  const { asked, answer, settle, facts } = startLab();
  facts().show();
  asked[0].fail(new Error('No memory.'));
  await settle();
  expect(facts()).toMatchObject({ phase: 'failed', message: 'No memory.', isPlaying: false });
  facts().reset();
  await answer(started);
  expect(facts()).toMatchObject({ phase: 'ready', message: null });
  facts().play();
  await answer({ ...trained(1), steps: [step(1, Number.NaN)] });
  expect(facts().isPlaying).toBe(false);
  expect(facts().message).toMatch(/learning rate/);
});

test('a record is a table of steps, with measures in the lines where they began', async () => {
  const shares = {
    textToImage: 0.25,
    imageToText: 0.5,
    foils: { 'colours swapped': 1, 'objects swapped': 0, 'relation inverted': 0.5, 'relation turned': 0.75 },
  };
  const measures = [{ step: 2, seen: shares, heldOut: shares }];
  const [header, first, second, end] = runCsv([
    { id: 0, settings: defaultLab, steps: [{ ...step(1), dlogScale: -0.25 }, step(2)], measures },
  ]).split('\n');
  expect(header.split(',')).toHaveLength(first.split(',').length);
  expect(first).toMatch(/^1,1,32,clip,brief,scratch,0\.002,both,learned,1,32,1,0\.5,7\.389\d*,0,-0\.25,1(,){12}$/);
  const columns = ['0.25', '0.5', '1', '0', '0.5', '0.75'];
  expect(second.split(',').slice(-12)).toEqual([...columns, ...columns]);
  expect(end).toBe('');
});

test('a saved picture of the lab says of which run and step it is, and has no prompt', async () => {
  const { answer, facts } = startLab({ temperature: 0.05 });
  facts().show();
  await answer(started);
  await answer(trained(1, 2));
  expect(labOrigin(facts())).toEqual({ inShort: 'N 32 · softmax · seed 1 · step 2 · τ 0.0500', prompts: [] });
});
