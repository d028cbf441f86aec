/** A batch of the objective lab as a file for open_clip: the rows of both towers, and the scale as open_clip stores it. */

import { writeSafetensors } from '../../files/safetensors.ts';
import { log } from '../../models/elementary.ts';
import type { LabFrame } from '../../worker/lab/labMessages.ts';
import type { ShownObjective } from './labNumbers.ts';

/** Its name when it is saved, which the snippet reads. */
export const objectiveFileName = 'objective.safetensors';

/**
 * The bytes of a safetensors file, all float64: text_features and image_features [N, E], of length 1; logit_scale, −ln τ; and
 * logit_bias where the objective is SigLIP's. The metadata says which objective it is, and the loss that the page shows.
 */
export function objectiveFile(
  { name, N, temperature, loss }: Pick<ShownObjective, 'name' | 'N' | 'temperature' | 'loss'>,
  { u, v, E, bias, step }: Pick<LabFrame, 'u' | 'v' | 'E' | 'bias' | 'step'>,
): Uint8Array<ArrayBuffer> {
  const rows = { dtype: 'F64', shape: [N, E] } as const;
  const scalar = (name: string, value: number) =>
    ({ name, dtype: 'F64', shape: [], data: Float64Array.of(value) }) as const;
  const tensors = [
    { name: 'text_features', ...rows, data: u },
    { name: 'image_features', ...rows, data: v },
    scalar('logit_scale', -log(temperature)),
    ...(name === 'siglip' ? [scalar('logit_bias', bias)] : []),
  ];
  return writeSafetensors(tensors, { format: 'pt', objective: name, loss: String(loss), step: String(step) });
}
