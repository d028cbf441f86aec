import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fileSource } from '../../cli/fileSource.ts';
import { referenceEncoder } from '../../clip/reference.ts';
import { createCpuEncoder } from '../../cpu/cpuEncoder.ts';
import { compileKernels } from '../../cpu/kernels.ts';
import { openSafetensors } from '../../files/safetensors.ts';
import { openCheckpoint } from '../../models/openCheckpoint.ts';
import { smallModelPath } from '../../models/smallModel.ts';
import { createTokenizer } from '../../tokens/tokenizer.ts';
import { readParameters } from '../../training/clipFile.ts';
import { createFastClipModel } from '../../training/clipModel.ts';
import { defaultRun, runModelConfig } from '../../training/clipRun.ts';
import { clipEmbedder, inputIdsOf } from '../../training/evaluation.ts';
import { pooledRow, startingTexts, textMatrix, textPass } from './textMatrix.ts';

test('rows are projected, brought to length 1, compared, and their softmax is taken by row', () => {
  // d = 2, E = 3: rows (1, 0) and (3, 4) through a matrix whose columns are (1, 2, 2) and (2, 1, −2).
  const projection = { E: 3, matrix: Float32Array.of(1, 2, 2, 1, 2, -2) };
  const { u, cosines, S, byRow } = textMatrix([Float32Array.of(1, 0), Float32Array.of(3, 4)], projection, Math.log(10));
  const expected = [1 / 3, 2 / 3, 2 / 3, 11 / 15, 10 / 15, -2 / 15];
  for (const [i, value] of expected.entries()) expect(u[i]).toBeCloseTo(value, 14);
  for (const [i, value] of [1, 0.6, 0.6, 1].entries()) {
    expect(cosines[i]).toBeCloseTo(value, 14);
    expect(S[i]).toBeCloseTo(10 * value, 13);
  }
  expect(byRow[1]).toBeCloseTo(1 / (1 + Math.exp(4)), 14);
});

test('the small model’s texts, from the rows of an engine, are those of the reference and of training', async () => {
  const checkpoint = await openCheckpoint(fileSource(`public/${smallModelPath}`));
  const projection = (await checkpoint.projection!())!;
  expect(projection.E).toBe(128);
  expect(1 / Math.exp(projection.logScale!)).toBeLessThan(0.07);
  const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
  const texts = startingTexts('red circle left of blue square');
  expect(texts).toEqual([
    'red circle left of blue square',
    'blue circle left of red square',
    'blue square left of red circle',
    'red circle right of blue square',
    'red circle above blue square',
    'a photo of red circle left of blue square',
  ]);
  const passes = texts.map((text) => textPass(tokenizer, text));
  const encoder = await createCpuEncoder(checkpoint, { threads: 1 });
  const { outputs } = await encoder.encode(passes, { hiddenStates: [], attentions: false });
  encoder.destroy();
  const rows = passes.map((pass, i) => pooledRow(pass, outputs[i]));
  const ofEngine = textMatrix(rows, projection, projection.logScale!);

  const reference = await referenceEncoder(checkpoint);
  const exact = passes.map((pass) => {
    const { lastHiddenState } = reference(pass);
    const output = { lastHiddenState: Float32Array.from(lastHiddenState), hiddenStates: new Map() };
    return pooledRow(pass, output);
  });
  const ofReference = textMatrix(exact, projection, projection.logScale!);

  const file = await openSafetensors(fileSource(`public/${smallModelPath}`));
  const ids: number[] = JSON.parse(file.metadata.get('token_ids')!);
  const config = runModelConfig(defaultRun, ids.length);
  const model = await createFastClipModel(await compileKernels(false), config, { B: texts.length, L: 77 });
  await readParameters(file, config, model.parameters);
  const trained = clipEmbedder(model, checkpoint.compactTable!, texts.length);
  const ofTraining = trained.embedTexts(inputIdsOf(tokenizer, texts));
  expect(Math.fround(model.logScale.value[0])).toBe(Math.fround(projection.logScale!));

  for (const [i, value] of ofReference.u.entries()) {
    expect(Math.abs(ofEngine.u[i] - value)).toBeLessThan(2e-5);
    expect(Math.abs(ofTraining[i] - value)).toBeLessThan(2e-5);
  }
  for (const [i, value] of ofReference.cosines.entries())
    expect(Math.abs(ofEngine.cosines[i] - value)).toBeLessThan(2e-5);
  // The model tells the swapped from the right, and the filler changes nothing.
  const { N, cosines } = ofReference;
  for (const other of [1, 2, 3]) expect(cosines[other]).toBeLessThan(cosines[N - 1]);
});

test('a prompt of no such words is set against its words in reverse', () => {
  expect(startingTexts('a dog chases a cat')).toEqual([
    'a dog chases a cat',
    'cat a chases dog a',
    'a photo of a dog chases a cat',
  ]);
  expect(startingTexts('dog')).toEqual(['dog', 'a photo of dog']);
});
