import {
  finalLayerNormBiasName,
  finalLayerNormWeightName,
  layerTensor,
  layerTensorNames,
  positionEmbeddingName,
  tokenEmbeddingName,
} from '../clip/weights.ts';
import { excerpt } from './tensorFile.ts';

/** How a file names the text encoder's tensors: what stands where Hugging Face writes `text_model.`. */
export const layouts = {
  /** Hugging Face `text_encoder/model.safetensors`, the full CLIP, ComfyUI's `clip_l`. */
  hf: 'text_model.',
  /** transformers 5 in memory. */
  'hf-bare': '',
  /** Stable Diffusion 1 checkpoint of CompVis and A1111. */
  ldm: 'cond_stage_model.transformer.text_model.',
  /** The same from before transformers had `text_model`. */
  'ldm-bare': 'cond_stage_model.transformer.',
  /** SDXL's first encoder, which is the same network. */
  sdxl: 'conditioner.embedders.0.transformer.text_model.',
  /** Stable Diffusion 3 and Flux in one file, whose first encoder it is, too. */
  sd3: 'text_encoders.clip_l.transformer.text_model.',
} as const;

export type Layout = keyof typeof layouts;

/** Hugging Face name of one of the encoder's tensors → what a file of this layout calls it. */
export function fileTensorName(name: string, layout: Layout): string {
  return layouts[layout] + name.slice(layouts.hf.length);
}

/** Tensors that every CLIP text encoder has, whatever its size. */
const landmarks = [
  tokenEmbeddingName,
  positionEmbeddingName,
  finalLayerNormWeightName,
  finalLayerNormBiasName,
  ...layerTensorNames.map((part) => layerTensor(0, part)),
];

/** The layout that most of the encoder's tensors are found by, so that a damaged file is still recognised; undefined if none is. */
export function findLayout(names: { has(name: string): boolean }): Layout | undefined {
  let found: Layout | undefined;
  let most = 0;
  for (const layout of Object.keys(layouts) as Layout[]) {
    // CLIP's image half has layers of the same names.
    if (names.has(`${layouts[layout]}embeddings.patch_embedding.weight`)) continue;
    const count = landmarks.filter((name) => names.has(fileTensorName(name, layout))).length;
    if (count > most) [found, most] = [layout, count];
  }
  return found;
}

const openInstead = "open a Stable Diffusion 1 checkpoint or its text encoder's model.safetensors instead";

/** What a file without a usable encoder is, by a name that only such files have. The first match counts. */
const otherFiles: readonly (readonly [name: RegExp, what: string])[] = [
  [
    /^cond_stage_model\.model\./,
    `is a Stable Diffusion 2 checkpoint, whose text encoder is OpenCLIP ViT-H; ${openInstead}`,
  ],
  [
    /^conditioner\.embedders\.\d+\.model\./,
    `has only SDXL's second text encoder, OpenCLIP ViT-bigG, as its refiner does; ${openInstead}`,
  ],
  [
    /^(lora|lycoris)_|[._]lora[._]|\.(hada|lokr)_w/i,
    'is a LoRA, which changes a model but is none; open the checkpoint it was made for',
  ],
  [
    /^(string_to_param|emb_params$|clip_[lg]$|bundle_emb\.)/,
    'is a textual inversion, a few vectors but no model; open the checkpoint it was made for',
  ],
  [/^control_model\.|^controlnet_|^input_hint_block\./, `is a ControlNet; ${openInstead}`],
  [
    /^(text\.)?transformer\.resblocks\.\d/,
    "is a CLIP with OpenAI's and OpenCLIP's tensor names (resblocks), which cannot be converted yet; open the Hugging Face version of it",
  ],
  [/(^|\.)encoder\.block\.\d+\.layer\.0\.SelfAttention\./, `has a T5 text encoder and no CLIP; ${openInstead}`],
  [/^(vision_model|visual)\.|^embeddings\.patch_embedding\./, `has only CLIP's image half; ${openInstead}`],
  [
    /^model\.diffusion_model\.|^(down_blocks|up_blocks|mid_block|input_blocks|(single_)?transformer_blocks|(double|single|joint)_blocks)\./,
    `has a diffusion model (U-Net) without its text encoder; ${openInstead}`,
  ],
  [
    /^(first_stage_model\.)?(encoder|decoder)\.(conv_in|conv_out|mid|down|up|mid_block|down_blocks|up_blocks)\./,
    `is a VAE, which has no text encoder; ${openInstead}`,
  ],
];

/** "is …; open … instead", for a file in which findLayout finds nothing. */
export function describeOtherFile(tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>): string {
  const names = [...tensors.keys()];
  for (const [name, what] of otherFiles) if (names.some((n) => name.test(n))) return what;
  if (names.length === 0) return 'has no tensors';
  const [{ shape }] = tensors.values();
  // Diffusers' learned_embeds: the token's vectors [d] or [n, d] under the token's own name.
  if (names.length === 1 && shape.length <= 2 && [768, 1024, 1280].includes(shape.at(-1) ?? 0))
    return 'is a textual inversion, a few vectors but no model; open the checkpoint it was made for';
  return `has no CLIP text encoder among its tensors (${names.slice(0, 3).map(excerpt).join(', ')}${names.length > 3 ? ', …' : ''}); ${openInstead}`;
}
