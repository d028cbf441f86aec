import { describe, expect, test } from 'vitest';
import { clipTiny, clipVitL14 } from '../clip/config.ts';
import { attentionsName, hiddenName, operands, schedule } from './schedule.ts';

test('a full encode is 86 steps, 13.1 GFLOP of them in the linear layers and 0.2 in attention', () => {
  const { steps } = schedule(clipVitL14, 1);
  expect(steps).toHaveLength(86);
  // 2 · 77 · (3·768² + 768² + 2·768·3072) · 12 in the linear layers, and 4 · 77² · 768 · 12 in attention.
  const linear = 2 * 77 * (4 * 768 ** 2 + 2 * 768 * 3072) * 12;
  const sum = (operation: string) =>
    steps.reduce((total, step) => total + (step.operation === operation ? step.flops : 0), 0);
  expect(sum('linear')).toBe(linear);
  expect(sum('attention')).toBe(4 * 77 ** 2 * 768 * 12);
});

test('some rows of a pass are as many steps, and less work', () => {
  const [whole, part] = [
    { slot: 0, passes: 1, first: 0, end: 77 },
    { slot: 1, passes: 1, first: 70, end: 77 },
  ].map((range) => schedule(clipVitL14, 2, range));
  expect(part.steps.map(({ label }) => label)).toEqual(whole.steps.map(({ label }) => label));
  for (const [i, step] of part.steps.entries()) expect(step.flops / whole.steps[i].flops).toBeCloseTo(7 / 77, 10);
  expect(() => schedule(clipVitL14, 2, { slot: 0, passes: 2, first: 1, end: 77 })).toThrow(RangeError);
});

test('one layer, step by step', () => {
  const layer = schedule(clipTiny, 1).steps.filter(({ label }) => label.startsWith('layers.1.'));
  expect(layer.map(({ operation, label }) => `${label}: ${operation}`)).toEqual([
    'layers.1.layer_norm1: layer_norm',
    'layers.1.self_attn.qkv_proj: linear',
    'layers.1.self_attn.attention: attention',
    'layers.1.self_attn.out_proj: linear',
    'layers.1.layer_norm2: layer_norm',
    'layers.1.mlp.fc1: linear',
    'layers.1.mlp.fc2: linear',
  ]);
});

describe.each([
  ['tiny', clipTiny],
  ['full size', clipVitL14],
])('%s', (_, config) => {
  test.each([1, 3])(
    'every tensor of a batch of %d is filled before it is read, and read or wanted afterwards',
    (batch) => {
      const { tensors, steps } = schedule(config, batch);
      const filled = new Set([...tensors].filter(([, { role }]) => role !== 'activation').map(([name]) => name));
      const read = new Set<string>();
      for (const step of steps) {
        const { reads, writes } = operands[step.operation];
        expect(step.tensors, step.label).toHaveLength(reads.length + writes.length);
        for (const [i, name] of step.tensors.entries()) {
          expect(tensors.has(name), name).toBe(true);
          if (i >= reads.length) filled.add(name);
          else {
            expect(filled, `${step.label} reads ${name}`).toContain(name);
            read.add(name);
          }
        }
      }
      const results = [
        'lastHiddenState',
        ...Array.from({ length: config.numHiddenLayers }, (_, layer) => attentionsName(layer)),
        hiddenName(config.numHiddenLayers),
      ];
      expect(new Set([...read, ...results])).toEqual(new Set(tensors.keys()));
    },
  );
});
