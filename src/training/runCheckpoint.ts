/** A run that can be gone on with: its arrays, such as parameters and moments, and the number of the step, as a safetensors file. */

import { readFloats } from '../files/floatTensor.ts';
import { jsonObject } from '../files/jsonObject.ts';
import { writeSafetensors } from '../files/safetensors.ts';
import type { TensorFile } from '../files/tensorFile.ts';
import type { Floats } from './products.ts';

/** A file that is no checkpoint of a run. The message is one sentence that names the file. */
export class RunCheckpointError extends Error {
  override name = 'RunCheckpointError';
}

/** Everything of a run that its settings do not give. */
export interface RunState {
  readonly settings: object;
  readonly step: number;
  /** The arrays by name, each as long as the parameters. */
  readonly arrays: Readonly<Record<string, Floats>>;
  /** More that is to be remembered. */
  readonly notes?: Readonly<Record<string, string>>;
}

/** The bytes of a checkpoint. `seconds`: time that the run took so far. */
export function writeRunCheckpoint(
  { settings, step, arrays, notes }: RunState,
  seconds: number,
): Uint8Array<ArrayBuffer> {
  const tensors = Object.entries(arrays).map(([name, values]) => ({
    name,
    dtype: 'F32' as const,
    shape: [values.length],
    data: Float32Array.from(values),
  }));
  return writeSafetensors(tensors, {
    ...notes,
    settings: JSON.stringify(settings),
    step: String(step),
    seconds: String(seconds),
  });
}

export interface RunProgress<Settings> {
  readonly settings: Settings;
  readonly step: number;
  readonly seconds: number;
}

/** Reads how far a run had come, whose settings are numbers by the names of `defaults`. Throws RunCheckpointError. */
export function runProgress<Settings extends object>(
  { source, metadata }: TensorFile,
  defaults: Settings,
): RunProgress<Settings> {
  const settings = jsonObject(metadata.get('settings') ?? '') ?? {};
  const [step, seconds] = ['step', 'seconds'].map((name) => Number(metadata.get(name) ?? Number.NaN));
  const isWhole = Object.keys(defaults).every((name) => typeof settings[name] === 'number');
  if (!isWhole || !Number.isInteger(step) || !Number.isFinite(seconds))
    throw new RunCheckpointError(`"${source.name}" is no checkpoint of such a training run; choose the file of one.`);
  return { settings: settings as Settings, step, seconds };
}

/**
 * Fills the arrays of a run, which has just started by the checkpoint's settings. Returns the checkpoint's step. Rejects with
 * RunCheckpointError.
 */
export async function restoreRun({ settings, arrays }: RunState, file: TensorFile): Promise<number> {
  const fail = (why: string): never => {
    throw new RunCheckpointError(`"${file.source.name}" ${why}.`);
  };
  for (const [name, array] of Object.entries(arrays)) {
    const tensor = file.tensors.get(name);
    if (!tensor || tensor.shape.join() !== String(array.length))
      return fail(`does not hold the ${array.length} ${name} of its model`);
    array.set(await readFloats(name, tensor, fail));
  }
  return runProgress(file, settings).step;
}
