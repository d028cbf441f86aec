import { smallModelName } from '../../models/smallModel.ts';
import { modelName } from '../encoderStatus.ts';
import type { Facts } from '../facts.ts';

/** Says that the pictures are drawn by another text encoder than the page's; null where they are not. */
export function usedPictureModel(facts: Facts): string | null {
  const { model, modelRequest } = facts;
  if (!model || modelRequest?.kind === 'small') return null;
  return `The pictures are drawn from the rows of the “${smallModelName}”, whatever encoder is chosen: ${modelName(facts)} was not trained with this denoiser, which could not read its rows. LoRAs are not merged.`;
}
