import { afterEach, beforeAll, describe, test, vi } from 'vitest';
import { clipVitL14 } from '../clip/config.ts';
import { type ReferenceOutput, referenceEncoder } from '../clip/reference.ts';
import { everything, expectStages, recordedMasks, viaSafetensors } from '../engine/testing/encoderJudge.ts';
import { expectFullSize } from '../engine/testing/encoderSuite.ts';
import { expectFullLayers, inspectedPass } from '../engine/testing/inspectSuite.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { createCpuEncoder } from './cpuEncoder.ts';
import { allowRelaxedSimd, spawnNodeThread } from './nodeThreads.ts';
import { withoutRelaxed } from './testing/withoutRelaxed.ts';

allowRelaxedSimd();
afterEach(() => void vi.restoreAllMocks());

describe('full size, from a safetensors file', () => {
  let reference: ReferenceOutput;
  beforeAll(async () => {
    reference = (await referenceEncoder(syntheticWeights(clipVitL14)))(inspectedPass);
  });

  test('equals every recorded array, and float64 at every stage and in every tensor of a layer', async () => {
    const encoder = await createCpuEncoder(await viaSafetensors(clipVitL14, 'F32'));
    await expectFullSize(encoder, recordedMasks);
    const { outputs } = await encoder.encode([inspectedPass], everything(clipVitL14));
    expectStages('causal', clipVitL14, outputs[0], reference);
    await expectFullLayers(encoder, syntheticWeights(clipVitL14), reference);
    encoder.destroy();
  });

  test('with two threads of Node and the plain kernels equals float64 at every stage', async () => {
    withoutRelaxed();
    const source = await viaSafetensors(clipVitL14, 'F32');
    const encoder = await createCpuEncoder(source, { spawn: spawnNodeThread, threads: 2 });
    const { outputs } = await encoder.encode([inspectedPass], everything(clipVitL14));
    expectStages('two threads', clipVitL14, outputs[0], reference);
    encoder.destroy();
  });
});
