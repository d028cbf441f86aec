/** Tensors that were not used, by reason. */
export interface LeftOut {
  /** Number of tensors for the model that paints: SD's U-Net, or the transformer of Flux and SD 3. */
  readonly unet: number;
  /** Number of tensors for SDXL's OpenCLIP ViT-bigG and other encoders than the first, of texts and of pictures. */
  readonly otherEncoders: number;
  /** Number of tensors for the encoder's projection and for logit_scale, which no prompt goes through. */
  readonly unused: number;
  /** Names of tensors for this encoder, of a kind that cannot be applied. */
  readonly unsupported: readonly { readonly kind: string; readonly names: readonly string[] }[];
  /** Names of the remaining tensors, without the textual inversions that the LoRA brings (embeddingFile.ts). */
  readonly unknown: readonly string[];
  /** Whether alpha, which PEFT keeps in an `adapter_config.json`, is taken for r, for want of that file. */
  readonly lacksSettings?: true;
}

/** Says what to do about a file of PEFT's without its settings. */
export const lacksSettingsText =
  'PEFT keeps alpha in adapter_config.json: without that file, opened together with this one, alpha / r is taken for 1';

/** Says in few words what a LoRA without updates changes. That it changes nothing is said only where every name is known. */
export function unchangedText({ unet, otherEncoders, unused, unsupported, unknown }: LeftOut): string {
  if (unsupported.length + unknown.length > 0) return 'changes nothing of the text encoder that is known here';
  const parts = [
    unet > 0 && 'the image model',
    otherEncoders > 0 && 'other encoders',
    unused > 0 && 'the text encoder’s projection, which no prompt goes through,',
  ].filter((part) => part !== false);
  return parts.length > 0 ? `changes ${parts.join(' and ')} alone` : 'changes nothing of the text encoder';
}
