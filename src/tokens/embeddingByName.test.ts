import { expect, test } from 'vitest';
import type { Syntax } from '../prompt/syntax.ts';
import { embeddingCalled } from './embeddingByName.ts';

const embeddings = [
  { name: 'easynegative', file: 'easynegative.pt', vectors: [Float32Array.of(1)] },
  { name: 'file', file: 'file.safetensors', trainedAs: 'style', vectors: [Float32Array.of(2)] },
];

test.each<[Syntax, string, string | undefined]>([
  ['comfy', 'easynegative', 'easynegative'],
  ['comfy', 'easynegative.pt', 'easynegative'],
  ['comfy', 'sub/easynegative', 'easynegative'],
  ['comfy', 'easynegative,', 'easynegative'],
  ['comfy', 'style', undefined],
  ['comfy', 'easynegative.bin', undefined],
  ['compel', 'style', 'file'],
  ['compel', 'file', undefined],
  ['a1111', 'file', 'file'],
  ['a1111', 'style', undefined],
])('%s: %s', (syntax, name, expected) => {
  expect(embeddingCalled(name, syntax, embeddings)?.name).toBe(expected);
});
