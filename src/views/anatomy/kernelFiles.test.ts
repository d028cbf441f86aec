import { expect, test } from 'vitest';
import { stages } from '../../clip/stages.ts';
import { assemblyScriptFiles, wgslFiles } from './kernelFiles.ts';

test.each(stages.map((stage) => [stage.key, stage] as const))('%s has its code for both engines', (_, stage) => {
  for (const { source } of wgslFiles(stage)) expect(source).toContain('fn main');
  expect(wgslFiles(stage)).not.toEqual([]);
  const [kernel, ...shared] = assemblyScriptFiles(stage);
  expect(kernel.source).toContain(`export function ${kernel.name}(`);
  for (const { name, source } of shared) expect(source, name).toMatch(/^\/\/ /);
});

test('a linear layer on the CPU is shown with what it imports', () => {
  const mlp = stages.find(({ key }) => key === 'mlp.fc1')!;
  expect(assemblyScriptFiles(mlp).map(({ name }) => name)).toEqual([
    'matmul',
    'linear',
    'simd',
    'weights',
    'quick_gelu',
  ]);
});
