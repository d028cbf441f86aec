import { describe, test } from 'vitest';
import { clipVitL14 } from '../clip/config.ts';
import { referenceEncoder } from '../clip/reference.ts';
import { expectFullLayers, inspectedPass, testInspection } from '../engine/testing/inspectSuite.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { createGpuEncoder } from './gpuEncoder.ts';
import { testAdapters, testDevice } from './testing/adapters.ts';

describe.each(testAdapters)('on %s', (adapter) => {
  testInspection(async (source) => createGpuEncoder(await testDevice(adapter), source));
});

// Three layers at full size: half a minute on a software adapter.
test.each(testAdapters)(
  'full size on %s: the first, a middle and the last layer equal float64’s',
  async (adapter) => {
    const source = syntheticWeights(clipVitL14);
    const encoder = await createGpuEncoder(await testDevice(adapter), source);
    await expectFullLayers(encoder, source, (await referenceEncoder(source))(inspectedPass));
    encoder.destroy();
  },
  600_000,
);
