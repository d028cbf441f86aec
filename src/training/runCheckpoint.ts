/** A run that can be gone on with: parameters, moments and the number of the step, as a safetensors file. */

import { readFloats } from '../files/floatTensor.ts';
import { jsonObject } from '../files/jsonObject.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import type { TensorFile } from '../files/tensorFile.ts';
import { type ClipRun, defaultRun, type RunSettings } from './clipRun.ts';

/** A file that is no checkpoint of a run. The message is one sentence that names the file. */
export class RunCheckpointError extends Error {
  override name = 'RunCheckpointError';
}

/** Names of the tensors, each [parameters], float32. */
const names = ['parameters', 'first_moments', 'second_moments'] as const;

const arraysOf = ({ model, moments }: ClipRun) => [model.parameters.values, moments.first, moments.second];

/** The bytes of a checkpoint. `seconds`: time that the run took so far. */
export function writeRunCheckpoint(run: ClipRun, seconds: number): Uint8Array<ArrayBuffer> {
  const tensors = arraysOf(run).map((values, i) => ({
    name: names[i],
    dtype: 'F32' as const,
    shape: [values.length],
    data: Float32Array.from(values),
  }));
  return writeSafetensors(tensors, {
    settings: JSON.stringify(run.settings),
    step: String(run.step),
    seconds: String(seconds),
  });
}

export interface RunProgress {
  readonly settings: RunSettings;
  readonly step: number;
  readonly seconds: number;
}

/** Reads how far a run had come. Throws RunCheckpointError. */
export function runProgress({ source, metadata }: TensorFile): RunProgress {
  const settings = jsonObject(metadata.get('settings') ?? '') ?? {};
  const [step, seconds] = ['step', 'seconds'].map((name) => Number(metadata.get(name) ?? Number.NaN));
  const isWhole = Object.keys(defaultRun).every((name) => typeof settings[name] === 'number');
  if (!isWhole || !Number.isInteger(step) || !Number.isFinite(seconds))
    throw new RunCheckpointError(`"${source.name}" is no checkpoint of a training run; choose the file of one.`);
  return { settings: settings as unknown as RunSettings, step, seconds };
}

/** Puts a run, which has just started by the checkpoint's settings, to where the checkpoint is. Rejects with RunCheckpointError. */
export async function restoreRun(run: ClipRun, file: TensorFile): Promise<void> {
  const fail = (why: string): never => {
    throw new RunCheckpointError(`"${file.source.name}" ${why}.`);
  };
  for (const [i, array] of arraysOf(run).entries()) {
    const tensor = file.tensors.get(names[i]);
    if (!tensor || tensor.shape.join() !== String(array.length))
      return fail(`does not hold the ${array.length} ${names[i]} of its model`);
    array.set(await readFloats(names[i], tensor, fail));
  }
  run.step = runProgress(file).step;
}
