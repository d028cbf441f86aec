import { type ClipTextConfig, clipTiny, clipVitL14 } from '../clip/config.ts';
import {
  expectedTensors,
  finalLayerNormBiasName,
  finalLayerNormWeightName,
  type LayerTensorName,
  layerTensor,
  layerTensorNames,
  positionEmbeddingName,
  tokenEmbeddingName,
} from '../clip/weights.ts';
import { excerpt, shapeText } from '../files/tensorFile.ts';
import { vocabSize } from '../tokens/clipVocabulary.ts';

/** How a file names the text encoder's tensors: what stands before them, and whose names they are. */
export interface Layout {
  /** Empty, or ends in a dot: `cond_stage_model.transformer.text_model.`. */
  readonly prefix: string;
  readonly names: 'transformers' | 'openai';
}

/** The place of one of the encoder's tensors in a file. */
export interface FileTensor {
  readonly name: string;
  /** The third of the rows that belongs to the tensor, if the file joins q, k and v in one `in_proj` [3d, …]. */
  readonly third?: 0 | 1 | 2;
}

const hfPrefix = 'text_model.';

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

/** Hugging Face name of one of the encoder's tensors → where a file of this layout keeps it. */
export function fileTensor(name: string, { prefix, names }: Layout): FileTensor {
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

/** Shape in the file of a tensor that is `shape` in the encoder: three times as high where q, k and v are joined. */
export function wholeShape({ third }: FileTensor, shape: readonly number[]): readonly number[] {
  return third === undefined ? shape : [3 * shape[0], ...shape.slice(1)];
}

/** Encoders that can be used. */
export const usableConfigs: readonly ClipTextConfig[] = [clipVitL14, clipTiny];

/** A tensor that every CLIP text encoder has, whatever its size: what its name in a file ends in. */
interface Landmark {
  readonly names: Layout['names'];
  readonly ending: string;
  /** Its shapes in the encoders that can be used. */
  readonly shapes: readonly string[];
  /** Whether no other network than CLIP has a tensor of this name. */
  readonly isEvidence: boolean;
}

/** In BART, T5 and others, too. */
const commonNames = /self_attn|final_layer_norm|ln_final/;

const landmarks: readonly Landmark[] = (['transformers', 'openai'] as const).flatMap((names) => {
  const bare: Layout = { prefix: '', names };
  const all = [
    tokenEmbeddingName,
    positionEmbeddingName,
    finalLayerNormWeightName,
    finalLayerNormBiasName,
    ...layerTensorNames.map((part) => layerTensor(0, part)),
  ].map((name): Landmark => {
    const file = fileTensor(name, bare);
    return {
      names,
      ending: file.name,
      shapes: usableConfigs.map((config) => shapeText(wholeShape(file, expectedTensors(config).get(name)!))),
      isEvidence: !commonNames.test(file.name),
    };
  });
  return [...new Map(all.map((landmark) => [landmark.ending, landmark])).values()];
});

/** Names for the halves of CLIP, and of other models, that are no text encoder and have layers of the same names. */
const otherTower = /(^|\.)(visual|vision(_\w+)?|image_(encoder|model)|audio(_\w+)?)\.(?!.*\btext)/;
/** Tensors below a tower's prefix that only one that sees has. */
const visionTensors = [
  'embeddings.patch_embedding.weight',
  'embeddings.class_embedding',
  'class_embedding',
  'conv1.weight',
];

/** Longer names are nobody's. */
const longestName = 500;

interface Candidate {
  readonly layout: Layout;
  count: number;
  /** Landmarks of the shape that they have in an encoder that can be used. */
  fitting: number;
  isEvident: boolean;
}

/**
 * The layout of the text encoder among a file's tensors, whatever stands before their names. Of several encoders it is the
 * one whose shapes are those of an encoder that can be used, then the most complete, then the one of the shortest names: a
 * damaged encoder is still recognised, and so is one of another size where there is no other. Undefined if there is none.
 */
export function findLayout(tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>): Layout | undefined {
  const candidates = new Map<string, Candidate>();
  for (const [name, { shape }] of tensors) {
    if (name.length > longestName) continue;
    for (const { names, ending, shapes, isEvidence } of landmarks) {
      if (!name.endsWith(ending)) continue;
      const prefix = name.slice(0, -ending.length);
      if (prefix !== '' && !prefix.endsWith('.')) continue;
      // OpenAI's `token_embedding.weight` ends transformers' `embeddings.token_embedding.weight`.
      if (names === 'openai' && prefix.endsWith('embeddings.')) continue;
      const key = `${names} ${prefix}`;
      const candidate = candidates.get(key) ?? { layout: { prefix, names }, count: 0, fitting: 0, isEvident: false };
      candidates.set(key, candidate);
      candidate.count++;
      if (shape.length <= 2 && shapes.includes(shapeText(shape))) candidate.fitting++;
      candidate.isEvident ||= isEvidence;
    }
  }
  const [best] = [...candidates.values()]
    .filter(({ layout: { prefix }, isEvident }) => isEvident && !isOtherTower(prefix, tensors))
    .sort((a, b) => b.fitting - a.fitting || b.count - a.count || a.layout.prefix.length - b.layout.prefix.length);
  return best?.layout;
}

function isOtherTower(prefix: string, tensors: { has(name: string): boolean }): boolean {
  return otherTower.test(prefix) || visionTensors.some((name) => tensors.has(prefix + name));
}

const openInstead = "open a Stable Diffusion 1 checkpoint or its text encoder's model.safetensors instead";

/** Tensors named as those of a LoRA are, of whatever kind and for whatever part of a model. */
export const loraNames =
  /^(lora|lycoris)_|^(unet|text_encoder):\d+:(up|down)$|[._]lora([._](A|B|down|up|mid|linear_layer|magnitude|embedding)|\.(down|up)\.)|[._](hada|lokr|oft|boft|vera|hra)_|dora_scale|\.[ab][12]\.weight$|\.(diff|diff_b|on_input|set_weight|w_norm|b_norm)$|\.ia3_l/;

/** A kind of file without a usable encoder. */
interface OtherKind {
  /** Names of tensors that only such a file has. */
  readonly evidence: RegExp;
  /** Names of further tensors that it has. */
  readonly others?: RegExp;
  /** Completes the sentence about a file whose tensors are all of this kind: "is …". */
  readonly whole: string;
  /** Completes the sentence about a file that has other tensors, too: "has …". */
  readonly part: string;
  readonly advice: string;
}

const openItsCheckpoint = 'open the checkpoint it was made for';

/** The first kind with evidence counts. */
const otherKinds: readonly OtherKind[] = [
  {
    evidence: loraNames,
    others: /\.(alpha|scale)$/,
    whole: 'is a LoRA, which changes a model but is none',
    part: 'has tensors of a LoRA',
    advice: openItsCheckpoint,
  },
  {
    evidence: /^(string_to_param|emb_params$|clip_[lg]$|bundle_emb\.)/,
    whole: 'is a textual inversion, a few vectors but no model',
    part: 'has a textual inversion',
    advice: openItsCheckpoint,
  },
  {
    evidence: /^control_model\.|^controlnet_|^input_hint_block\./,
    others:
      /^(conv_in|time_embed(ding)?|down_blocks|mid_block|input_blocks|middle_block(_out)?|zero_convs|label_emb|add_embedding)\./,
    whole: 'is a ControlNet',
    part: 'has a ControlNet',
    advice: openInstead,
  },
  {
    evidence: /(^|\.)encoder\.block\.\d+\.layer\.0\.SelfAttention\./,
    others: /(^|\.)((shared|encoder\.embed_tokens)\.weight$|encoder\.(block|final_layer_norm)\.|decoder\.|lm_head\.)/,
    whole: 'has a T5 text encoder and no CLIP',
    part: 'has a T5 text encoder',
    advice: openInstead,
  },
  {
    evidence: /(^|\.)(vision_model|visual)\.|(^|\.)embeddings\.patch_embedding\./,
    others:
      /(^|\.)(visual_projection\.|logit_scale$|(encoder\.layers|embeddings|pre_layrnorm|post_layernorm|mask_token)(\.|$))/,
    whole: "has only CLIP's image half",
    part: "has CLIP's image half",
    advice: openInstead,
  },
  {
    evidence:
      /^model\.diffusion_model\.|^(down_blocks|up_blocks|mid_block|input_blocks|(single_)?transformer_blocks|(double|single|joint)_blocks)\./,
    others:
      /^(first_stage_model|model_ema|conv_(in|out|norm_out)|time_(embed(ding)?|proj|in)|(img|txt|vector|guidance)_in|out(put_blocks)?|middle_block|label_emb|add_embedding|class_embedding|final_layer|pos_embed|proj_out|norm_out|x_embedder|context_embedder|time_text_embed|[xyt]_embedder)\.|^(alphas|betas|sqrt|log_one|posterior|model_ema|denoiser|edm|global_step|scale_factor|lvlb|learned_logvar)/,
    whole: 'has a diffusion model (U-Net) without its text encoder',
    part: 'has a diffusion model (U-Net)',
    advice: openInstead,
  },
  {
    evidence:
      /^(first_stage_model\.)?(encoder|decoder)\.(conv_in|conv_out|mid|down|up|mid_block|down_blocks|up_blocks)\./,
    others: /^(first_stage_model\.)?((encoder|decoder)\.|(post_)?quant_conv\.|loss\.|quantize\.)/,
    whole: 'is a VAE, which has no text encoder',
    part: 'has a VAE',
    advice: openInstead,
  },
];

const firstOf = (names: readonly string[]) =>
  `${names.slice(0, 3).map(excerpt).join(', ')}${names.length > 3 ? ', …' : ''}`;

/**
 * Completes the sentence about a file in which findLayout finds nothing: "is …; open … instead". That there is no encoder is said
 * only where every name is known; else the names that are not are told.
 */
export function describeOtherFile(tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>): string {
  const names = [...tensors.keys()];
  const table = names.find(
    (name) => tensors.get(name)!.shape.length === 2 && tensors.get(name)!.shape[0] === vocabSize,
  );
  if (table && !loraNames.test(table))
    return `has a table of CLIP's ${vocabSize} tokens, ${excerpt(table)}, but its text encoder has names that are not known here; ${openInstead}`;
  for (const { evidence, others, whole, part, advice } of otherKinds) {
    if (!names.some((name) => evidence.test(name))) continue;
    const isOwn = (name: string) => evidence.test(name) || others?.test(name);
    const unknown = names.filter((name) => !isOwn(name) && !otherKinds.some((kind) => kind.evidence.test(name)));
    return unknown.length === 0
      ? `${whole}; ${advice}`
      : `${part}, and tensors whose names are not known here (${firstOf(unknown)}), but none that is named as a CLIP text encoder's are; ${advice}`;
  }
  if (names.length === 0) return 'has no tensors';
  const [{ shape }] = tensors.values();
  // In Diffusers' learned_embeds the token's vectors, [d] or [n, d], have the token as their name.
  if (names.length === 1 && shape.length <= 2 && [768, 1024, 1280].includes(shape.at(-1) ?? 0))
    return `is a textual inversion, a few vectors but no model; ${openItsCheckpoint}`;
  return `has no tensors that are named as those of a CLIP text encoder are (it has ${firstOf(names)}); ${openInstead}`;
}
