import {
  finalLayerNormBiasName,
  finalLayerNormWeightName,
  type LayerTensorName,
  layerTensor,
  layerTensorNames,
  positionEmbeddingName,
  tokenEmbeddingName,
} from '../clip/weights.ts';
import { excerpt } from '../files/tensorFile.ts';

/** Layouts: the prefix of the text encoder's tensors in a file, and the library whose names follow it. */
export const layouts = {
  /** Hugging Face `text_encoder/model.safetensors`, the full CLIP, ComfyUI's `clip_l`. */
  hf: { prefix: 'text_model.', names: 'transformers' },
  /** Names that transformers 5 uses in memory. */
  'hf-bare': { prefix: '', names: 'transformers' },
  /** CompVis' and A1111's checkpoints of Stable Diffusion 1. */
  ldm: { prefix: 'cond_stage_model.transformer.text_model.', names: 'transformers' },
  /** Checkpoints from before transformers had `text_model`. */
  'ldm-bare': { prefix: 'cond_stage_model.transformer.', names: 'transformers' },
  /** SDXL's first encoder, which is this network. */
  sdxl: { prefix: 'conditioner.embedders.0.transformer.text_model.', names: 'transformers' },
  /** Stable Diffusion 3 and Flux in one file; their first encoder is this network, too. */
  sd3: { prefix: 'text_encoders.clip_l.transformer.text_model.', names: 'transformers' },
  /** OpenAI's `ViT-L-14.pt`, and OpenCLIP's models. */
  openclip: { prefix: '', names: 'openai' },
  /** OpenCLIP's models with a text tower of their own. */
  'openclip-text': { prefix: 'text.', names: 'openai' },
  /** OpenCLIP's training checkpoints. */
  'openclip-module': { prefix: 'module.', names: 'openai' },
  /** A checkpoint with OpenCLIP's names: usually Stable Diffusion 2, whose encoder is another. */
  'openclip-ldm': { prefix: 'cond_stage_model.model.', names: 'openai' },
} as const satisfies Record<string, { prefix: string; names: 'transformers' | 'openai' }>;

export type Layout = keyof typeof layouts;

/** The place of one of the encoder's tensors in a file. */
export interface FileTensor {
  readonly name: string;
  /** The third of the rows that belongs to the tensor, if the file joins q, k and v in one `in_proj` [3d, …]. */
  readonly third?: 0 | 1 | 2;
}

const hfPrefix = layouts.hf.prefix;

/** Names below `transformer.resblocks.{i}.`, in OpenAI's model and OpenCLIP. */
const resblockNames: Record<LayerTensorName, FileTensor> = {
  'layer_norm1.weight': { name: 'ln_1.weight' },
  'layer_norm1.bias': { name: 'ln_1.bias' },
  'self_attn.q_proj.weight': { name: 'attn.in_proj_weight', third: 0 },
  'self_attn.q_proj.bias': { name: 'attn.in_proj_bias', third: 0 },
  'self_attn.k_proj.weight': { name: 'attn.in_proj_weight', third: 1 },
  'self_attn.k_proj.bias': { name: 'attn.in_proj_bias', third: 1 },
  'self_attn.v_proj.weight': { name: 'attn.in_proj_weight', third: 2 },
  'self_attn.v_proj.bias': { name: 'attn.in_proj_bias', third: 2 },
  'self_attn.out_proj.weight': { name: 'attn.out_proj.weight' },
  'self_attn.out_proj.bias': { name: 'attn.out_proj.bias' },
  'layer_norm2.weight': { name: 'ln_2.weight' },
  'layer_norm2.bias': { name: 'ln_2.bias' },
  'mlp.fc1.weight': { name: 'mlp.c_fc.weight' },
  'mlp.fc1.bias': { name: 'mlp.c_fc.bias' },
  'mlp.fc2.weight': { name: 'mlp.c_proj.weight' },
  'mlp.fc2.bias': { name: 'mlp.c_proj.bias' },
};

/** The other names of OpenAI's model, by transformers' names without `text_model.`. */
const openaiNames: Readonly<Record<string, string>> = {
  'embeddings.token_embedding.weight': 'token_embedding.weight',
  'embeddings.position_embedding.weight': 'positional_embedding',
  'final_layer_norm.weight': 'ln_final.weight',
  'final_layer_norm.bias': 'ln_final.bias',
};

/** Hugging Face name of one of the encoder's tensors → its place in a file of this layout. */
export function fileTensor(name: string, layout: Layout): FileTensor {
  const { prefix, names } = layouts[layout];
  const bare = name.slice(hfPrefix.length);
  if (names === 'transformers') return { name: prefix + bare };
  const inLayer = /^encoder\.layers\.(\d+)\.(.+)$/.exec(bare);
  if (!inLayer) return { name: prefix + (openaiNames[bare] ?? bare) };
  const { name: part, third } = resblockNames[inLayer[2] as LayerTensorName];
  return { name: `${prefix}transformer.resblocks.${inLayer[1]}.${part}`, third };
}

/** Hugging Face name of one of the encoder's tensors → its name in a file of this layout. */
export function fileTensorName(name: string, layout: Layout): string {
  return fileTensor(name, layout).name;
}

/** Tensors that every CLIP text encoder has, whatever its size. */
const landmarks = [
  tokenEmbeddingName,
  positionEmbeddingName,
  finalLayerNormWeightName,
  finalLayerNormBiasName,
  ...layerTensorNames.map((part) => layerTensor(0, part)),
];

/**
 * Finds the layout that fits most of the encoder's tensors, so that a damaged file is still recognised; undefined if
 * none fits.
 */
export function findLayout(names: { has(name: string): boolean }): Layout | undefined {
  let found: Layout | undefined;
  let most = 0;
  for (const layout of Object.keys(layouts) as Layout[]) {
    // The image half of CLIP has layers of these names, too.
    if (names.has(`${layouts[layout].prefix}embeddings.patch_embedding.weight`)) continue;
    const count = landmarks.filter((name) => names.has(fileTensorName(name, layout))).length;
    if (count > most) [found, most] = [layout, count];
  }
  return found;
}

const openInstead = "open a Stable Diffusion 1 checkpoint or its text encoder's model.safetensors instead";

/** Kinds of files without a usable encoder, by a name that only such files have. The first match counts. */
const otherFiles: readonly (readonly [name: RegExp, what: string])[] = [
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

/** Completes the sentence about a file in which findLayout finds nothing: "is …; open … instead". */
export function describeOtherFile(tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>): string {
  const names = [...tensors.keys()];
  for (const [name, what] of otherFiles) if (names.some((n) => name.test(n))) return what;
  if (names.length === 0) return 'has no tensors';
  const [{ shape }] = tensors.values();
  // In Diffusers' learned_embeds the token's vectors, [d] or [n, d], have the token as their name.
  if (names.length === 1 && shape.length <= 2 && [768, 1024, 1280].includes(shape.at(-1) ?? 0))
    return 'is a textual inversion, a few vectors but no model; open the checkpoint it was made for';
  return `has no CLIP text encoder among its tensors (${names.slice(0, 3).map(excerpt).join(', ')}${names.length > 3 ? ', …' : ''}); ${openInstead}`;
}
