import { afterEach, beforeAll, describe, test, vi } from 'vitest';
import { clipTiny, clipVitL14 } from '../clip/config.ts';
import { type ReferenceOutput, referenceEncoder } from '../clip/reference.ts';
import type { WeightSource } from '../clip/weights.ts';
import { everything, expectStages, passOf, viaSafetensors } from '../engine/testing/encoderJudge.ts';
import { expectFullSize, testPasses, testWeights } from '../engine/testing/encoderSuite.ts';
import { expectFullLayers, testInspection } from '../engine/testing/inspectSuite.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { createCpuEncoder } from './cpuEncoder.ts';
import { allowRelaxedSimd, spawnNodeThread } from './nodeThreads.ts';
import { spawnHere } from './testing/threadHere.ts';

allowRelaxedSimd();

/** Has the kernels compiled without relaxed SIMD until the test ends. */
function withoutRelaxed() {
  const { validate } = WebAssembly;
  let asked = 0;
  vi.spyOn(WebAssembly, 'validate').mockImplementation((bytes) => asked++ % 2 === 1 && validate(bytes));
}
afterEach(() => void vi.restoreAllMocks());

const create = (threads: number) => (source: WeightSource) => createCpuEncoder(source, { threads, spawn: spawnHere });

describe.each([1, 3])('with %d threads', (threads) => {
  testPasses(create(threads));
  testWeights(create(threads));
  testInspection(create(threads));
});

test.each([2, 4])('%d threads and the plain kernels equal float64 too', async (threads) => {
  withoutRelaxed();
  const encoder = await create(threads)(syntheticWeights(clipTiny));
  const pass = passOf(2, 'causal');
  const { outputs } = await encoder.encode([pass], everything(clipTiny));
  expectStages(`${threads} threads`, clipTiny, outputs[0], (await referenceEncoder(syntheticWeights(clipTiny)))(pass));
  encoder.destroy();
});

describe('full size, from a safetensors file', () => {
  const pass = passOf(1, 'causal');
  let reference: ReferenceOutput;
  beforeAll(async () => {
    reference = (await referenceEncoder(syntheticWeights(clipVitL14)))(pass);
  });

  test('equals every recorded array, and float64 at every stage', async () => {
    const encoder = await create(1)(await viaSafetensors(clipVitL14, 'F32'));
    await expectFullSize(encoder, reference);
    encoder.destroy();
  });

  test('with two threads of Node and the plain kernels equals float64 at every stage', async () => {
    withoutRelaxed();
    const source = await viaSafetensors(clipVitL14, 'F32');
    const encoder = await createCpuEncoder(source, { spawn: spawnNodeThread, threads: 2 });
    const { outputs } = await encoder.encode([pass], everything(clipVitL14));
    expectStages('two threads', clipVitL14, outputs[0], reference);
    encoder.destroy();
  });

  test('layers that are looked at equal float64’s', async () => {
    const source = syntheticWeights(clipVitL14);
    const encoder = await create(1)(source);
    await expectFullLayers(encoder, source);
    encoder.destroy();
  });
});
