import { expect, test } from 'vitest';
import { openSafetensors } from '../files/safetensors.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { createRandom, normal } from '../models/seededRandom.ts';
import { createDenoiser } from './denoiser.ts';
import { type DenoiserConfig, denoiserShapes } from './denoiserConfig.ts';
import { denoiserFacts, readDenoiser, writeDenoiser } from './denoiserFile.ts';
import { float64PictureKernels } from './pictureKernels.ts';
import { defaultPictureRun, pictureModelConfig } from './pictureRun.ts';

const config: DenoiserConfig = {
  pictureSize: 8,
  contextWidth: 8,
  timeWidth: 8,
  headDim: 4,
  levels: [
    { channels: 8, down: 0, up: 1, self: false, cross: false, mlp: 0 },
    { channels: 8, down: 1, up: 0, self: true, cross: true, mlp: 2 },
  ],
};
const room = { B: 1, T: 2 };
const facts = { config, clipSha256: 'abc' };

test('a denoiser is read as it was written', async () => {
  const model = createDenoiser(float64PictureKernels, config, room);
  const random = createRandom(1);
  const values = Float32Array.from(model.parameters.values, () => normal(random));
  const file = await openSafetensors(memorySource(writeDenoiser(model.parameters, values, facts, 'F32'), 'x'));
  expect(denoiserFacts(file)).toEqual(facts);
  await readDenoiser(file, model);
  expect(Float32Array.from(model.parameters.values)).toEqual(values);
});

test('other files are refused in a sentence', async () => {
  const { parameters } = createDenoiser(float64PictureKernels, config, room);
  const written = writeDenoiser(parameters, parameters.values, facts, 'F16');
  const file = await openSafetensors(memorySource(written, 'x.safetensors'));
  const wider = { ...config, timeWidth: 16 };
  await expect(readDenoiser(file, createDenoiser(float64PictureKernels, wider, room))).rejects.toThrow(
    '"x.safetensors" stores tensor "time.0.weight" of shape [8, 32]; expected [16, 32].',
  );
  const odd = { ...facts, config: { ...config, levels: [{ ...config.levels[0], channels: 7 }] } };
  const oddFile = await openSafetensors(memorySource(writeDenoiser(parameters, parameters.values, odd, 'F16'), 'y'));
  expect(() => denoiserFacts(oddFile)).toThrow('"y" does not say the sizes of a denoiser');
});

test('the shipped sizes have at most 2.4 million parameters, which are less than 5 MB as float16', () => {
  const shapes = denoiserShapes(pictureModelConfig(defaultPictureRun, 128));
  let count = 0;
  for (const shape of shapes.values()) count += shape.reduce((a, b) => a * b, 1);
  expect(count).toBeGreaterThan(1e6);
  expect(count).toBeLessThan(2.4e6);
});
