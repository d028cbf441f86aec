import { createRandom, normal } from '../../models/seededRandom.ts';
import { createDenoiser } from '../denoiser.ts';
import type { DenoiserConfig } from '../denoiserConfig.ts';
import { writeDenoiser } from '../denoiserFile.ts';
import { float64PictureKernels } from '../pictureKernels.ts';

/** Sizes that a test draws with in some milliseconds, for the rows of the small text encoder. */
const config: DenoiserConfig = {
  pictureSize: 40,
  contextWidth: 128,
  timeWidth: 16,
  headDim: 8,
  levels: [
    { channels: 8, down: 1, up: 1, self: false, cross: true, mlp: 0 },
    { channels: 16, down: 1, up: 0, self: true, cross: true, mlp: 2 },
  ],
};

/** The file of a denoiser of random parameters, whose pictures mean nothing but follow from noise, prompt and seed. Without a hash it takes any text encoder. */
export function smallDenoiserFile(clipSha256 = ''): Uint8Array<ArrayBuffer> {
  const { parameters } = createDenoiser(float64PictureKernels, config, { B: 1, T: 1 });
  const { places, values } = parameters;
  const random = createRandom(1);
  for (const { name, shape, offset, length } of places.values()) {
    const inputs = shape.slice(1).reduce((product, n) => product * n, 1);
    for (let i = offset; i < offset + length; i++)
      if (name.endsWith('norm.weight')) values[i] = 1;
      else values[i] = normal(random) * (shape.length > 1 ? 1 / Math.sqrt(inputs) : 0.1);
  }
  return writeDenoiser(parameters, values, { config, clipSha256 }, 'F32');
}
