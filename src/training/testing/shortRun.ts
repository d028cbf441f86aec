import { hex, sha256 } from '../../models/weightsHash.ts';
import { createTokenizer } from '../../tokens/tokenizer.ts';
import { type ClipRun, defaultRun, type RunSettings, startRun, trainStep } from '../clipRun.ts';

/** A model so small that hundreds of its steps take seconds, with every kind of layer, head and sum that the shipped one has. */
export const shortRun: RunSettings = {
  ...defaultRun,
  seed: 7,
  steps: 350,
  batch: 8,
  plainSteps: 20,
  singleSteps: 30,
  lookSteps: 20,
  pairSteps: 50,
  wordSteps: 20,
  bindSteps: 40,
  wholeSteps: 30,
  againSteps: 40,
  alikeSteps: 20,
  lastSteps: 20,
  tuneSteps: 20,
  polishSteps: 20,
  turnSteps: 10,
  everySteps: 10,
  fitSteps: 10,
  pairBatch: 6,
  warmUp: 20,
  width: 16,
  layers: 2,
  heads: 2,
  patch: 8,
  imageWidth: 16,
  imageLayers: 1,
  imageHeads: 2,
  embedding: 16,
};

/** Starts the short run with CLIP's merges, one a line, and makes so many of its steps. */
export async function trainShortly(
  merges: string,
  steps: number,
  changed: Partial<RunSettings> = {},
): Promise<ClipRun> {
  const run = await startRun({ ...shortRun, ...changed }, createTokenizer(merges));
  for (let i = 0; i < steps; i++) trainStep(run);
  return run;
}

/** The hexadecimal SHA-256 of the short run's parameters after all its steps. */
export async function shortRunHash(merges: string): Promise<string> {
  const { model } = await trainShortly(merges, shortRun.steps);
  const { buffer } = Float32Array.from(model.parameters.values);
  return hex((await sha256(new Uint8Array(buffer)))!);
}
