import { beforeAll, expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import { layerNorm, type ReferenceOutput, referenceEncoder } from '../clip/reference.ts';
import { finalLayerNormBiasName, finalLayerNormWeightName } from '../clip/weights.ts';
import { toFloat32 } from '../files/dtypes.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { openConditioning, writeConditioning } from '../road/export/conditioningFile.ts';
import { defaultOptions } from '../road/options.ts';
import { preparePrompt } from '../road/pipeline.ts';
import { tokenizer } from '../state/testing/fakeEncoder.ts';
import type { AnalysisEncoder } from './analysisEncoder.ts';
import { kindRows, layerRows, type NamedRows, namedTensors, rowsWithoutPart } from './namedRows.ts';
import { referenceAnalysis } from './testing/referenceAnalysis.ts';

const source = syntheticWeights(clipTiny);
const { maxPositionEmbeddings: L, hiddenSize: d, numHiddenLayers: N } = clipTiny;
const [{ weighted, chunks }] = preparePrompt('a red circle', defaultOptions, tokenizer).texts;
const [{ pass }] = weighted.chunks;
const kinds = chunks[0].tokens.map(({ kind }) => kind);

let encoder: AnalysisEncoder;
let reference: (of: typeof pass) => ReferenceOutput;
let finalNorm: readonly Float64Array[];
beforeAll(async () => {
  encoder = await referenceAnalysis(source);
  reference = await referenceEncoder(source);
  finalNorm = await Promise.all(
    [finalLayerNormWeightName, finalLayerNormBiasName].map(async (name) =>
      Float64Array.from(toFloat32(await source.read(name), 'F32')),
    ),
  );
});

/** Rows as they come out of a file that they were written to, by their names. */
async function readBack(named: readonly NamedRows[]): Promise<Map<string, Float32Array>> {
  const bytes = writeConditioning('safetensors', namedTensors(named, L), { clipscope: '1' });
  const file = (await openConditioning(memorySource(bytes)))!;
  expect(file.conditionings.map(({ rows, d }) => [rows, d])).toEqual(named.map(() => [L, d]));
  return new Map(file.conditionings.map(({ name, data }) => [name, data]));
}

function expectRows(found: Float32Array | undefined, expected: ArrayLike<number>): void {
  expect(found).toHaveLength(expected.length);
  expect(Math.max(...found!.map((value, i) => Math.abs(value - expected[i])))).toBeLessThan(1e-5);
}

test('the file of layers holds the final LayerNorm of each state that is read', async () => {
  const { hiddenStates, lastHiddenState } = reference(pass);
  const found = await readBack(await layerRows(pass, N, encoder));
  expect([...found.keys()]).toEqual([0, 1, 2].map((layer) => `layer_${layer}.prompt_embeds`));
  for (const [layer, state] of hiddenStates.entries())
    expectRows(found.get(`layer_${layer}.prompt_embeds`), layerNorm(state, finalNorm[0], finalNorm[1], 1e-5));
  expectRows(found.get(`layer_${N}.prompt_embeds`), lastHiddenState);
  expect(await layerRows(pass, N - 1, encoder)).toHaveLength(N);
});

test('the file of kinds holds one kind of row each, and those of the empty prompt elsewhere', async () => {
  const [own, none] = [pass, weighted.empty].map((of) => reference(of).lastHiddenState);
  const found = await readBack(await kindRows(pass, weighted.empty, kinds, encoder));
  for (const [name, kept] of [
    ['words_only', 'text'],
    ['eos_only', 'eos'],
    ['pad_only', 'pad'],
  ])
    expectRows(
      found.get(`${name}.prompt_embeds`),
      own.map((value, i) => (kinds[Math.floor(i / d)] === kept ? value : none[i])),
    );
});

test('the file of an ablation holds the rows without the part', async () => {
  const { hiddenStates } = reference(pass);
  const last = { layer: N - 1, way: 'zero' } as const;
  const found = await readBack([
    ...(await rowsWithoutPart(pass, { ...last, head: null }, encoder)),
    ...(await rowsWithoutPart(pass, { ...last, head: 2 }, encoder)),
    ...(await rowsWithoutPart(pass, { ...last, head: 2, way: 'uniform' }, encoder)),
  ]);
  expect([...found.keys()]).toEqual(
    ['uniform_layer_2_head_3', 'without_layer_2_head_3', 'without_layer_2_mlp'].map((name) => `${name}.prompt_embeds`),
  );
  // Without its MLP, the last layer ends at the stream that its attention gives.
  const middle = (await encoder.layer(pass, N - 1)).get('residual1')!;
  const expected = layerNorm(Float64Array.from(middle), finalNorm[0], finalNorm[1], 1e-5);
  expectRows(found.get('without_layer_2_mlp.prompt_embeds'), expected);
  expect(expected).not.toEqual(layerNorm(hiddenStates[N], finalNorm[0], finalNorm[1], 1e-5));
});
