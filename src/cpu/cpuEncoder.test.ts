import { afterEach, describe, expect, test, vi } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import { referenceEncoder } from '../clip/reference.ts';
import type { WeightSource } from '../clip/weights.ts';
import { everything, expectStages, passOf } from '../engine/testing/encoderJudge.ts';
import { everyCase, oneOfEach, testDecisions, testPasses, testWeights } from '../engine/testing/encoderSuite.ts';
import { testInspection } from '../engine/testing/inspectSuite.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { createCpuEncoder } from './cpuEncoder.ts';
import { allowRelaxedSimd } from './nodeThreads.ts';
import { spawnHere } from './testing/threadHere.ts';
import { withoutRelaxed } from './testing/withoutRelaxed.ts';

allowRelaxedSimd();

afterEach(() => void vi.restoreAllMocks());

const create = (threads: number) => (source: WeightSource) => createCpuEncoder(source, { threads, spawn: spawnHere });

describe.each([
  [1, everyCase],
  [3, oneOfEach],
])('with %d threads', (threads, cases) => {
  testPasses(create(threads), cases);
  testWeights(create(threads), cases);
  testInspection(create(threads), cases);
});
testDecisions(create(1));

test.each([1, 3])('%d threads need no more of the bytes that they give back', async (threads) => {
  const source = syntheticWeights(clipTiny);
  const encoder = await create(threads)(source);
  let given = 0;
  const recycle = (bytes: Uint8Array) => {
    given += bytes.fill(0xff).length;
  };
  const other = await create(threads)({ ...source, recycle });
  expect(given).toBeGreaterThan(encoder.weightBytes / 2);
  const [of, all] = [passOf(2, 'causal'), everything(clipTiny)];
  expect((await other.encode([of], all)).outputs).toEqual((await encoder.encode([of], all)).outputs);
  encoder.destroy();
  other.destroy();
});

test.each([2, 4])('%d threads and the plain kernels equal float64 too', async (threads) => {
  withoutRelaxed();
  const encoder = await create(threads)(syntheticWeights(clipTiny));
  const pass = passOf(2, 'causal');
  const { outputs } = await encoder.encode([pass], everything(clipTiny));
  expectStages(`${threads} threads`, clipTiny, outputs[0], (await referenceEncoder(syntheticWeights(clipTiny)))(pass));
  encoder.destroy();
});
