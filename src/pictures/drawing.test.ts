import { expect, test } from 'vitest';
import { expectClose } from '../clip/testing/recorded.ts';
import { type CompiledKernels, compileKernels } from '../cpu/kernels.ts';
import { openSafetensors } from '../files/safetensors.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { createRandom, normal } from '../models/seededRandom.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import { createCpuDenoiser } from './cpuDenoiser.ts';
import type { DenoiserRoom } from './denoiser.ts';
import type { DenoiserConfig } from './denoiserConfig.ts';
import type { FillableEngine } from './denoiserEngine.ts';
import { denoiserFacts, readDenoiser } from './denoiserFile.ts';
import { type Draft, drawingOn, lookSide, type PixelLooks } from './drawing.ts';
import { drawPictures } from './pictureEvaluation.ts';
import { smallDenoiserFile } from './testing/smallDenoiser.ts';
import { createFastDenoiser } from './wasmPictureKernels.ts';

const random = createRandom(3);
const d = 128;
const rowsOf = (count: number) => Float32Array.from({ length: count * d }, () => normal(random));
const tokens = Array<null>(contextLength).fill(null);

/** A denoiser of the small file, made by `create`. */
async function filled<Model extends Pick<FillableEngine, 'config' | 'parameters'>>(
  create: (compiled: CompiledKernels, config: DenoiserConfig, room: DenoiserRoom) => Promise<Model>,
  room: DenoiserRoom,
): Promise<Model> {
  const file = await openSafetensors(memorySource(smallDenoiserFile(), 'small'));
  const model = await create(await compileKernels(false), denoiserFacts(file).config, room);
  await readDenoiser(file, model);
  return model;
}

test('the page draws as the evaluation of a trained model draws, in batches of any size', async () => {
  const [first, second, empty] = [rowsOf(contextLength), rowsOf(contextLength), rowsOf(contextLength)];
  const drafts = [first, second].map((rows, seed): Draft => {
    const step = { parts: [{ weight: 1, rows, tokens }], negative: { rows: empty, tokens } };
    return { seed, steps: [step, step, step] };
  });
  const model = await filled(createFastDenoiser, { B: 4, T: contextLength });
  const rows = new Float32Array([...first, ...second]);
  const expected = drawPictures(model, rows, empty, { steps: 3, guidance: 2 });
  for (const B of [1, 3, 4]) {
    const looks: PixelLooks[] = [{ parts: [] }, { parts: [] }];
    const engine = await filled(createCpuDenoiser, { B, T: contextLength });
    let pictures: ArrayLike<number> = [];
    for await (const { x } of drawingOn(engine, drafts, { sampler: 'flow', guidance: 2, looks })) pictures = x;
    expectClose(`${B} at once`, pictures, expected, 1e-3);
    // Four heads look once a call from each square, wherever they look.
    const total = looks[1].parts[0].reduce((sum, look) => sum + look, 0);
    expect(total).toBeCloseTo(4 * 3 * lookSide * lookSide, 0);
  }
});
