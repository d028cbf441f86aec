import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { encoderPass } from '../clip/masks.ts';
import { referenceEncoder } from '../clip/reference.ts';
import { expectClose } from '../clip/testing/recorded.ts';
import { createCpuEncoder } from '../cpu/cpuEncoder.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { type Checkpoint, openCheckpoint } from '../models/openCheckpoint.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { captionTokens, writeInputIds } from '../world/captionIds.ts';
import { readCaptions } from './captionBatch.ts';
import { writeClipModel } from './clipFile.ts';
import type { ClipRun } from './clipRun.ts';
import { createParameters, parameter } from './parameters.ts';
import { trainShortly } from './testing/shortRun.ts';
import { createTextTower, textForward, textTowerShapes } from './textTower.ts';
import { float64Kernels } from './trainingKernels.ts';

/** The first has words of the world alone; the second has others, which have no row. */
const captions = ['a red circle left of a blue square', 'a photorealistic red circle above the eiffel tower'];

const merges = readFileSync('public/clip-merges.txt', 'utf8');
let run: ClipRun;
/** [77] of each caption. */
let inputIds: Uint32Array[];
let checkpoint: Checkpoint;
beforeAll(async () => {
  run = await trainShortly(merges, 20, { width: 32, embedding: 32 });
  const tokenizer = createTokenizer(merges);
  inputIds = captions.map((caption) => {
    const ids = new Uint32Array(contextLength);
    writeInputIds(captionTokens(tokenizer, caption), ids);
    return ids;
  });
  const bytes = writeClipModel(run.model, run.tokenIds, { dtype: 'F32' });
  checkpoint = await openCheckpoint(memorySource(bytes, 'small.safetensors'));
});

/** The text tower that was trained, in float64, over every row of a caption up to its EOS. */
function trainedStates(ids: Uint32Array) {
  const { config, parameters: trained } = run.model;
  const read = readCaptions(ids, contextLength, run.rows);
  const parameters = createParameters(new Map(textTowerShapes(config.text)), float64Kernels.allocate);
  for (const name of parameters.places.keys()) parameter(parameters, name).value.set(parameter(trained, name).value);
  const L = read.lengths[0];
  const text = createTextTower(float64Kernels, parameters, config.text, { B: 1, L, P: L });
  const features = textForward(text, { ...read, picks: Int32Array.from({ length: L }, (_, row) => row) });
  const { layers, output, pooled } = text.tower;
  return {
    L,
    hiddenStates: [...layers.map(({ input }) => input), output],
    lastHiddenState: pooled,
    /** [E], of the EOS. */
    features: features.slice((L - 1) * config.text.projectionDim),
  };
}

test('an opened model has the sizes and the words of the run that wrote it', () => {
  const { projectionDim: _, ...sizes } = run.model.config.text;
  expect(checkpoint.config).toEqual(sizes);
  expect([...checkpoint.compactTable!.rowOf.keys()]).toEqual(Array.from(run.tokenIds));
});

test.each([0, 1])('the float64 encoder gives caption %d the states that training gave it', async (caption) => {
  const trained = trainedStates(inputIds[caption]);
  const { lastHiddenState, hiddenStates } = (await referenceEncoder(checkpoint))(
    encoderPass(inputIds[caption], 'causal'),
  );
  const d = checkpoint.config.hiddenSize;
  const upToEos = (state: Float64Array) => state.subarray(0, trained.L * d);
  expect(hiddenStates.length).toBe(trained.hiddenStates.length);
  for (const [i, state] of hiddenStates.entries())
    expectClose(`hidden state ${i}`, upToEos(state), trained.hiddenStates[i], 1e-10);
  expectClose('last hidden state', upToEos(lastHiddenState), trained.lastHiddenState, 1e-10);
});

test.each([0, 1])('the encoder on the CPU gives caption %d the features of training', async (caption) => {
  const trained = trainedStates(inputIds[caption]);
  const encoder = await createCpuEncoder(checkpoint, { threads: 1 });
  const want = { hiddenStates: [], attentions: false };
  const { outputs } = await encoder.encode([encoderPass(inputIds[caption], 'causal')], want);
  encoder.destroy();
  const { lastHiddenState } = outputs[0];
  const d = checkpoint.config.hiddenSize;
  expectClose('last hidden state', lastHiddenState.subarray(0, trained.L * d), trained.lastHiddenState, 1e-5);

  const eos = lastHiddenState.subarray((trained.L - 1) * d, trained.L * d);
  const { value } = parameter(run.model.parameters, 'text_projection.weight');
  const features = trained.features.map((_, e) => eos.reduce((sum, v, i) => sum + v * value[e * d + i], 0));
  expectClose('features', features, trained.features, 1e-5);
});

test('a model with the full table is the same encoder', async () => {
  const bytes = writeClipModel(run.model, run.tokenIds, { dtype: 'F32', fullTable: run.rows });
  const full = await openCheckpoint(memorySource(bytes, 'full.safetensors'));
  expect(full.compactTable).toBeUndefined();
  const pass = encoderPass(inputIds[1], 'causal');
  const [a, b] = [await referenceEncoder(checkpoint), await referenceEncoder(full)];
  expect(b(pass).lastHiddenState).toEqual(a(pass).lastHiddenState);
});
