import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fileSource } from '../cli/fileSource.ts';
import { openSafetensors } from '../files/safetensors.ts';
import { log } from '../models/elementary.ts';
import { smallModelPath } from '../models/smallModel.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { clipEmbedder, evaluate } from './evaluation.ts';
import { liveSets, startMeasuring } from './liveMeasures.ts';
import {
  diagonalProbability,
  goOnLive,
  type LiveKnobs,
  type LiveSettings,
  liveStep,
  startLive,
  watch,
} from './liveRun.ts';
import { objective } from './objective.ts';
import { numbers } from './testing/differences.ts';
import { shortRun } from './testing/shortRun.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
const settings: LiveSettings = { seed: 3, batch: 12, objective: 'clip', captions: 'brief', from: 'scratch' };
const knobs: LiveKnobs = { learningRate: 3e-3, side: 'both', temperature: 'learned' };

async function trained(steps: number, changed: Partial<LiveSettings> = {}, turned: Partial<LiveKnobs> = {}) {
  const run = await startLive({ ...settings, ...changed }, tokenizer, shortRun);
  const start = run.model.parameters.values.slice();
  const all = Array.from({ length: steps }, () => liveStep(run, { ...knobs, ...turned }).numbers);
  return { run, start, all };
}

test.each(['clip', 'siglip'] as const)('a run by %s goes the same way from the same seed, and learns', async (name) => {
  const { all, run } = await trained(40, { objective: name });
  const again = await trained(40, { objective: name });
  expect(again.all).toEqual(all);
  expect(again.run.model.parameters.values).toEqual(run.model.parameters.values);
  expect((await trained(2, { objective: name, seed: 4 })).all[0].loss).not.toBe(all[0].loss);
  expect(all.map(({ step }) => step)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  expect(all.at(-1)!.loss).toBeLessThan(all[0].loss);
});

test('one side alone learns, and the temperature stays where it is frozen or held', async () => {
  for (const side of ['text', 'image'] as const) {
    const { run, start } = await trained(3, {}, { side, temperature: 'frozen' });
    const { places, values } = run.model.parameters;
    for (const { name, offset, length } of places.values()) {
      const isSame = values.slice(offset, offset + length).every((value, i) => value === start[offset + i]);
      const learns = side === 'text' ? /^text_/.test(name) : /^vis/.test(name);
      expect(isSame, name).toBe(!learns);
    }
  }
  const { all, run } = await trained(2, {}, { temperature: 0.02 });
  expect(all.map(({ logScale }) => logScale)).toEqual([Math.fround(-log(0.02)), Math.fround(-log(0.02))]);
  expect(run.model.logScale.value[0]).toBe(Math.fround(-log(0.02)));
});

test('a temperature that is learned stays within its clamp', async () => {
  const { run } = await trained(1);
  run.model.logScale.value[0] = 4.605;
  liveStep(run, { ...knobs, learningRate: 1 });
  liveStep(run, { ...knobs, learningRate: 1 });
  expect(run.model.logScale.value[0]).toBeLessThanOrEqual(Math.fround(Math.log(100)));
  expect(run.model.logScale.value[0]).toBeGreaterThanOrEqual(0);
});

test('looking at a batch learns nothing, and the batch is none that is learned from', async () => {
  const { run } = await trained(2);
  const before = run.model.parameters.values.slice();
  expect(watch(run).S).toEqual(watch(run).S);
  expect(run.model.parameters.values).toEqual(before);
  expect(run.watched.captions).not.toEqual(run.batch.captions);
  expect(run.watched.captions.every((caption) => /^[a-z ]+$/.test(caption))).toBe(true);
});

test('the diagonal is as likely as the softmaxes say, whatever the bias', () => {
  const [u, v] = [numbers(5 * 8, 1), numbers(5 * 8, 2)];
  const clip = objective('clip', u, v, 8, 2);
  let sum = 0;
  for (let i = 0; i < 5; i++)
    for (const entry of ['row', 'column']) {
      const line = Array.from({ length: 5 }, (_, j) =>
        Math.exp(entry === 'row' ? clip.S[i * 5 + j] : clip.S[j * 5 + i]),
      );
      sum += line[i] / line.reduce((a, b) => a + b);
    }
  expect(diagonalProbability(clip)).toBeCloseTo(sum / 10, 12);
  expect(diagonalProbability(objective('siglip', u, v, 8, 2, -10))).toBeCloseTo(sum / 10, 12);
});

test('measures are those of the step at which they began, although steps go on between their pieces', async () => {
  const { run } = await trained(2, { batch: 40 });
  const sets = liveSets(tokenizer, settings);
  const room = run.settings.batch;
  const whole = (set: keyof typeof sets) => evaluate(clipEmbedder(run.model, run.rows, room), sets[set]);
  const expected = { seen: whole('seen'), heldOut: whole('heldOut') };
  const measuring = startMeasuring(run, sets);
  for (let piece = 1; piece < measuring.pieces; piece++) {
    expect(measuring.next()).toBeNull();
    liveStep(run, knobs);
  }
  const measured = measuring.next()!;
  expect(measured.step).toBe(2);
  for (const set of ['seen', 'heldOut'] as const) {
    const { fillerInvariance, ...retrieval } = expected[set];
    expect(measured[set]).toEqual(retrieval);
  }
});

test('the shipped model has a diagonal from the first step on, ten times as likely as chance', async () => {
  const file = await openSafetensors(fileSource(`public/${smallModelPath}`));
  const run = await goOnLive({ ...settings, batch: 32, from: 'shipped' }, tokenizer, file);
  expect(diagonalProbability(watch(run))).toBeGreaterThan(10 / 32);
});
