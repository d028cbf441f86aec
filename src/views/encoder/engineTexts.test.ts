import { expect, test } from 'vitest';
import { onCpu, onGpu } from '../../state/testing/fakeEncoder.ts';
import { engineInTerms, engineInWords } from './engineTexts.ts';

test.each([
  [{ engine: onCpu, dtype: 'F32' }, 'the CPU, 2 threads · 32-bit', 'CPU, 2 threads, SIMD · F32'],
  [{ engine: { ...onCpu, threads: 1 }, dtype: 'BF16' }, 'the CPU, 1 thread · 16-bit', 'CPU, 2 threads, SIMD · BF16'],
  [{ engine: onGpu, dtype: 'F16, F32' }, 'the GPU, a GPU · 16- and 32-bit', 'WebGPU on a GPU · F16, F32'],
  [
    { engine: { ...onGpu, software: true }, dtype: 'F16, BF16' },
    'a GPU, a processor in the place of a GPU · 16-bit',
    'WebGPU on a GPU (software) · F16, BF16',
  ],
])('the engine in plain words and in exact terms: %j', (run, words, terms) => {
  expect(engineInWords(run, 246e6)).toBe(`Runs on ${words} numbers · 246 MB of memory`);
  expect(engineInTerms(run, 246e6)).toBe(`${terms} · 246 MB held`);
});
