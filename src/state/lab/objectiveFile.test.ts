import { expect, test } from 'vitest';
import { openSafetensors } from '../../files/safetensors.ts';
import { memorySource } from '../../files/testing/memorySource.ts';
import { objective, similarity } from '../../training/objective.ts';
import { recordedCases } from '../../training/testing/recordedTraining.ts';
import { shownObjective } from './labNumbers.ts';
import { objectiveFile } from './objectiveFile.ts';

/** Reads a file's float64 tensors. */
async function tensorsOf(bytes: Uint8Array<ArrayBuffer>) {
  const { tensors, metadata } = await openSafetensors(memorySource(bytes, 'objective.safetensors'));
  const values = new Map<string, Float64Array>();
  for (const [name, tensor] of tensors) values.set(name, new Float64Array((await tensor.read()).buffer));
  return { values, metadata };
}

const logSumExp = (values: readonly number[]) => {
  const largest = Math.max(...values);
  return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
};

/** The loss of a file's tensors, by open_clip's definition and none of the page's code. */
function lossOf(values: ReadonlyMap<string, Float64Array>, N: number): number {
  const [texts, images] = [values.get('text_features')!, values.get('image_features')!];
  const scale = Math.exp(values.get('logit_scale')![0]);
  const bias = values.get('logit_bias')?.[0];
  const E = texts.length / N;
  const logits = Array.from({ length: N }, (_, i) =>
    Array.from({ length: N }, (_, j) => {
      let sum = 0;
      for (let c = 0; c < E; c++) sum += images[i * E + c] * texts[j * E + c];
      return scale * sum + (bias ?? 0);
    }),
  );
  const mean = (of: (i: number) => number) => logits.reduce((sum, _, i) => sum + of(i), 0) / N;
  if (bias !== undefined)
    return mean((i) => logits[i].reduce((sum, z, j) => sum + Math.log1p(Math.exp(i === j ? -z : z)), 0));
  const column = (j: number) => logits.map((row) => row[j]);
  return (mean((i) => logSumExp(logits[i]) - logits[i][i]) + mean((j) => logSumExp(column(j)) - logits[j][j])) / 2;
}

const cases = (['clip', 'siglip'] as const).flatMap((name) =>
  recordedCases(`${name}_loss`).map((recorded) => ({ name, recorded, title: recorded.name })),
);

test.each(cases)('the saved numbers of $title have the loss that open_clip gave', async ({ name, recorded }) => {
  const { N, d } = recorded.config;
  const [text, image] = [recorded.array('text_features'), recorded.array('image_features')];
  for (const [i, logScale] of recorded.array('log_scale').entries()) {
    const bias = name === 'siglip' ? recorded.array('logit_bias')[i] : 0;
    const { u, v } = objective(name, text, image, d, logScale, bias);
    const shown = shownObjective(name, { cosines: similarity(u, v, d, 1), bias }, logScale);
    const { values, metadata } = await tensorsOf(objectiveFile(shown, { u, v, E: d, bias, step: 7 }));
    const recordedLoss = recorded.array('losses', i).at(-1)!;
    const close = (loss: number) => expect(Math.abs(loss - recordedLoss)).toBeLessThan(1e-9 * (1 + recordedLoss));
    close(lossOf(values, N));
    close(Number(metadata.get('loss')));
    expect([metadata.get('objective'), metadata.get('step')]).toEqual([name, '7']);
  }
});
