import { describe } from 'vitest';
import { oneOfEach } from '../engine/testing/encoderSuite.ts';
import { testInspection } from '../engine/testing/inspectSuite.ts';
import { createGpuEncoder } from './gpuEncoder.ts';
import { testAdapters, testDevice } from './testing/adapters.ts';

describe.each(testAdapters)('on %s', (adapter) => {
  testInspection(async (source) => createGpuEncoder(await testDevice(adapter), source), oneOfEach);
});
