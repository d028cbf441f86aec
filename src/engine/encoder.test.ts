import { describe } from 'vitest';
import { oneOfEach, testDecisions, testPasses, testWeights } from './testing/encoderSuite.ts';
import { testInspection } from './testing/inspectSuite.ts';
import { createReferenceEncoder } from './testing/referenceBackend.ts';

// The schedule and what drives it, judged without any engine's kernels.
describe('in float64', () => {
  testPasses(createReferenceEncoder, oneOfEach);
  testWeights(createReferenceEncoder, oneOfEach);
  testInspection(createReferenceEncoder, oneOfEach);
  testDecisions(createReferenceEncoder);
});
