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
import { addLooks, type Draft, drawingOn, lookSide, type PixelLooks } from './drawing.ts';
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

test('looks of a coarser layer are interpolated: each square of pixels is at its own place between the middles of cells', () => {
  const looksOf = (side: number, look: (row: number, column: number) => number): Float32Array => {
    const looks: PixelLooks = { parts: [] };
    const probabilities = Float32Array.from({ length: side * side }, (_, i) => look(Math.floor(i / side), i % side));
    addLooks(looks, [{ name: 'cross', side, heads: 1, T: 1, probabilities }], 0);
    return looks.parts[0];
  };
  const at = (looks: Float32Array, row: number, column: number) => looks[row * lookSide + column];
  // A slope stays a slope, but for half a cell at the edges, beyond whose middles nothing is known.
  const slope = looksOf(10, (row, column) => column + 100 * row);
  for (const square of [1, 2, 9, 18]) {
    const place = (square + 0.5) / 2 - 0.5;
    expect(at(slope, square, 5)).toBeCloseTo(100 * place + 2.25, 4);
    expect(at(slope, 4, square)).toBeCloseTo(175 + place, 4);
  }
  expect(at(slope, 0, 0)).toBe(0);
  expect(at(slope, lookSide - 1, lookSide - 1)).toBe(909);
  const peak = looksOf(10, (row, column) => Number(row === 4 && column === 5));
  expect(at(peak, 8, 10)).toBeCloseTo(0.75 ** 2, 6);
  expect(at(peak, 7, 10)).toBeCloseTo(0.25 * 0.75, 6);
  expect(peak.reduce((sum, value) => sum + value, 0)).toBeCloseTo(4, 5);
  expect(looksOf(lookSide, (row, column) => row * column)[3 * lookSide + 7]).toBe(21);
  expect(looksOf(1, () => 0.5).every((value) => value === 0.5)).toBe(true);
});
