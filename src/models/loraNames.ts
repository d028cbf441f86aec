/** The names of a LoRA's tensors: which module of which network each is for, and which part of its change it is. */

/** A module of this encoder, by Hugging Face's name: `text_model.encoder.layers.0.mlp.fc1`. */
export interface EncoderPart {
  readonly sort: 'encoder';
  /** Prefix before the module's own name, without `text_model`. */
  readonly prefix: string;
  readonly module: string;
  /** The rest of the name: `lora_down.weight`. */
  readonly part: string;
}

/**
 * `unused` belongs to the encoder's projection, which no prompt goes through; `bundled` to a textual inversion; `openai` to an
 * encoder by OpenAI's names, of which the shape tells whether it could be the first.
 */
export type LoraTensor =
  | EncoderPart
  | { readonly sort: 'unet' | 'otherEncoder' | 'openai' | 'unused' | 'bundled' | 'unknown' };

/** Marks a tensor in the metadata of the first LoRAs as a textual inversion, whose token is the tensor's name. */
export const embedFlag = '<embed>';

/** Longest name that is read; real names are shorter. */
const longestName = 500;

/** Names for the blocks of diffusion models, wherever they stand. kohya writes `_` for every `.`. */
const unet =
  /^((lora|lycoris)_unet_|(lora_)?(base_model\.model\.)?transformer[._])|(^|[._])(unet|diffusion_model|(down|up|input|output|middle|double|single|joint|transformer|single_transformer)_blocks?|mid_block|time_embed(ding)?|label_emb)[._]/;
/** Names for encoders that are not the first, and towers that are no text encoder. */
const otherEncoder =
  /(^|[._])(te[23]|text_encoder_[23]|clip_[gh]|t5\w*|umt5\w*|llama\w*|qwen\w*|gemma\w*|bigg|visual|vision_\w+|image_encoder)[._]/i;
const unused = /[._](text_projection|logit_scale)(\.|$)/;

const inLayer = String.raw`encoder[._]layers[._](?<layer>\d{1,4})[._](?:self_attn[._](?:to_)?(?<attention>[qkv]|out)(?:_proj)?|mlp[._](?<mlp>fc[12])|layer_norm(?<norm>[12]))`;
const module = new RegExp(
  String.raw`^(?<prefix>|.*?[._])(?:text_model[._])?(?:${inLayer}|embeddings[._](?<table>token|position)_embedding|final_layer_norm)(?:_lora)?\.(?<part>.+)$`,
);

/** Names for the first text encoder: a name with one of them is not taken for the U-Net's, however it goes on. */
const firstEncoder = /(^|[._])(te1?|text_encoders?|text_model|clip_l|cond_stage_model)[._]/;

/** Reads the name of a LoRA's tensor. */
export function readLoraName(name: string): LoraTensor {
  if (name.length > longestName) return { sort: 'unknown' };
  if (name.startsWith('bundle_emb.')) return { sort: 'bundled' };
  const found = module.exec(name)?.groups;
  if (found && !otherEncoder.test(found.prefix) && !/(encoder|decoder)[._]$/.test(withoutOwn(found.prefix))) {
    const { prefix, layer, attention, mlp, norm, table, part } = found;
    const inner = attention ? `self_attn.${attention}_proj` : mlp ? `mlp.${mlp}` : `layer_norm${norm}`;
    const own = layer
      ? `encoder.layers.${Number(layer)}.${inner}`
      : table
        ? `embeddings.${table}_embedding`
        : 'final_layer_norm';
    return { sort: 'encoder', prefix, module: `text_model.${own}`, part };
  }
  if (otherEncoder.test(name)) return { sort: 'otherEncoder' };
  if (/(^|[._])resblocks[._]/.test(name)) return { sort: 'openai' };
  if (unused.test(name)) return { sort: 'unused' };
  return { sort: unet.test(name) && !firstEncoder.test(name) ? 'unet' : 'unknown' };
}

/** The linear layers of an attention, in the order in which transformers declares them. */
const attentionLayers = ['k_proj', 'v_proj', 'q_proj', 'out_proj'];

/**
 * Reads a name of the first LoRAs (cloneofsimo's): layers by their numbers, `text_encoder:5:up`, among those below modules of the
 * classes that the metadata lists. Null for a name of another form.
 */
export function readNumberedName(name: string, classes: string | undefined): LoraTensor | null {
  const [, network, number, part] = /^(unet|text_encoder):(\d{1,4}):(up|down)$/.exec(name) ?? [];
  if (!network) return null;
  if (network === 'unet') return { sort: 'unet' };
  if (classes !== '["CLIPAttention"]') return { sort: 'unknown' };
  const count = attentionLayers.length;
  const [layer, inner] = [Math.floor(Number(number) / count), attentionLayers[Number(number) % count]];
  const module = `text_model.encoder.layers.${layer}.self_attn.${inner}`;
  return { sort: 'encoder', prefix: 'text_encoder:', module, part: `lora_${part}.weight` };
}

/** `text_encoder.` ends like T5's `encoder.`, below which it has a `final_layer_norm`, too. */
const withoutOwn = (prefix: string) => prefix.replace(/text_encoders?[._]$/, '');

/** Parts of a change by the end of a tensor's name, in the spellings of kohya, PEFT, Diffusers, LyCORIS and ComfyUI. */
export type Part = (typeof parts)[number][1];

const parts = [
  [/^lora_down\.weight$|^lora_A(\.(?!bias$)[^.]+)??(\.weight)?$|^((lora_linear_layer|lora)\.)?down\.weight$/, 'down'],
  [/^lora_up\.weight$|^lora_B(\.(?!bias$)[^.]+)??(\.weight)?$|^((lora_linear_layer|lora)\.)?up\.weight$/, 'up'],
  [/^lora_B(\.[^.]+)?\.bias$|^lora_up\.bias$/, 'upBias'],
  [/^lora_embedding_A(\.[^.]+)?$/, 'embeddingDown'],
  [/^lora_embedding_B(\.[^.]+)?$/, 'embeddingUp'],
  [/^alpha$/, 'alpha'],
  [/^scale$/, 'scale'],
  [/^dora_scale$/, 'norms'],
  [/^lora_magnitude_vector(\.[^.]+)??(\.weight)?$/, 'norms'],
  [/^hada_w1_a$/, 'loha1a'],
  [/^hada_w1_b$/, 'loha1b'],
  [/^hada_w2_a$/, 'loha2a'],
  [/^hada_w2_b$/, 'loha2b'],
  [/^hada_t1$/, 'loha1t'],
  [/^hada_t2$/, 'loha2t'],
  [/^lokr_w1$/, 'lokr1'],
  [/^lokr_w1_a$/, 'lokr1a'],
  [/^lokr_w1_b$/, 'lokr1b'],
  [/^lokr_w2$/, 'lokr2'],
  [/^lokr_w2_a$/, 'lokr2a'],
  [/^lokr_w2_b$/, 'lokr2b'],
  [/^lokr_t2$/, 'lokr2t'],
  [/^lora_mid\.weight$/, 'mid'],
  [/^a1\.weight$/, 'gloraA1'],
  [/^a2\.weight$/, 'gloraA2'],
  [/^b1\.weight$/, 'gloraB1'],
  [/^b2\.weight$/, 'gloraB2'],
  [/^oft_blocks$/, 'oftBlocks'],
  [/^oft_diag$/, 'oftDiagonal'],
  [/^oft_R(\.[^.]+)??(\.weight)?$/, 'oftUpper'],
  [/^rescale$/, 'rescale'],
  [/^weight$/, 'ia3'],
  [/^on_input$/, 'onInput'],
  [/^ia3_l(\.[^.]+)?$/, 'ia3Whole'],
  [/^(diff|w_norm)$/, 'difference'],
  [/^(diff_b|b_norm)$/, 'biasDifference'],
  [/^set_weight$/, 'replacement'],
] as const satisfies readonly (readonly [RegExp, string])[];

export function partOf(ending: string): Part | undefined {
  return parts.find(([pattern]) => pattern.test(ending))?.[1];
}

/** Kinds of changes that cannot be applied, by the end of a tensor's name. */
const otherKinds: readonly (readonly [RegExp, string])[] = [
  [/^lora_conv/, 'a convolution'],
  [/^(oft_r|oft_embedding_R)\b/, 'an OFT of PEFT'],
  [/^boft_/, 'BOFT of PEFT'],
  [/^bm\./, 'a change with a core of a convolution'],
  [/^lora_(E|ranknum)\b/, 'AdaLoRA'],
  [/^vera_/, 'VeRA'],
  [/^hra_/, 'HRA'],
  [/^(randlora|shira|fourierft|poly|road|c3a|miss|bone|gralora|delora|waveft|tinylora)_?/, 'a kind that only PEFT has'],
  [/^bias_(indices|values|size)$/, 'LyCORIS’ sparse differences'],
  [/^reshape_weight$/, 'a weight of another size'],
];

export function unsupportedKind(ending: string): string | undefined {
  return otherKinds.find(([pattern]) => pattern.test(ending))?.[1];
}
