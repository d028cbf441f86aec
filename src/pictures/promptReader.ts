/** The frozen text encoder of a training run: prompts → the rows that a denoiser looks at. */

import type { CompactTable } from '../clip/weights.ts';
import type { CompiledKernels } from '../cpu/kernels.ts';
import { toFloat32 } from '../files/dtypes.ts';
import type { Checkpoint } from '../models/openCheckpoint.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import { readPaddedCaptions } from '../training/captionBatch.ts';
import { createParameters, parameter } from '../training/parameters.ts';
import { createTextTower, textForward, textTowerShapes } from '../training/textTower.ts';
import type { TrainingKernels } from '../training/trainingKernels.ts';
import { countFloats, createWasmKernels } from '../training/wasmKernels.ts';

export interface PromptReader {
  /** d, numbers of a row. */
  readonly width: number;
  /** inputIds [n, 77] → rows [n, 77, d] after the final LayerNorm. */
  read(inputIds: Uint32Array): Float32Array;
}

/** Every id is its own row. */
const fullTable: CompactTable = {
  rowOf: { get: (id: number) => id } as ReadonlyMap<number, number>,
  vectorOf: () => {
    throw new RangeError('A full table has a row for every id.');
  },
};

/** Reads `room` prompts at once. `compiled` is to be plain, so that a run gives the same bits everywhere. Rejects with what reading rejects with. */
export async function createPromptReader(
  compiled: CompiledKernels,
  checkpoint: Checkpoint,
  room: number,
): Promise<PromptReader> {
  // The projection is not asked for: it stays zero.
  const config = { ...checkpoint.config, projectionDim: checkpoint.config.hiddenSize };
  const d = config.hiddenSize;
  const build = (kernels: TrainingKernels) => {
    const parameters = createParameters(new Map(textTowerShapes(config)), kernels.allocate);
    const size = { B: room, L: contextLength, P: room * contextLength };
    return { parameters, text: createTextTower(kernels, parameters, config, size) };
  };
  const widest = Math.max(config.intermediateSize, 3 * d);
  const kernels = await createWasmKernels(compiled, countFloats(build), { widest, longest: contextLength });
  const { parameters, text } = build(kernels);
  for (const name of parameters.places.keys()) {
    if (/projection/.test(name)) continue;
    const { dtype } = checkpoint.tensor(name);
    parameter(parameters, name).value.set(toFloat32(await checkpoint.read(name), dtype));
  }
  return {
    width: d,
    read(inputIds) {
      const count = inputIds.length / contextLength;
      const rows = new Float32Array(count * contextLength * d);
      for (let from = 0; from < count; from += room) {
        const ids = inputIds.subarray(from * contextLength, (from + room) * contextLength);
        textForward(text, readPaddedCaptions(ids, contextLength, checkpoint.compactTable ?? fullTable));
        rows.set(text.tower.pooled.subarray(0, ids.length * d), from * contextLength * d);
      }
      return rows;
    },
  };
}
