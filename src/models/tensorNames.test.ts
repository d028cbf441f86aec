import { expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import { expectedTensors } from '../clip/weights.ts';
import { describeOtherFile, fileTensor, fileTensorName, findLayout } from './tensorNames.ts';
import { type LayoutName, layouts } from './testing/checkpoints.ts';

const names = [...expectedTensors(clipTiny).keys()];

/** Tensors of these names, of no particular shape. */
const named = (names: Iterable<string>) => new Map([...names].map((name) => [name, { shape: [1, 768] }]));

test.each<[LayoutName, string, string]>([
  ['hf', 'text_model.encoder.layers.1.mlp.fc1.bias', 'text_model.final_layer_norm.bias'],
  ['hf-bare', 'encoder.layers.1.mlp.fc1.bias', 'final_layer_norm.bias'],
  [
    'ldm',
    'cond_stage_model.transformer.text_model.encoder.layers.1.mlp.fc1.bias',
    'cond_stage_model.transformer.text_model.final_layer_norm.bias',
  ],
  [
    'ldm-bare',
    'cond_stage_model.transformer.encoder.layers.1.mlp.fc1.bias',
    'cond_stage_model.transformer.final_layer_norm.bias',
  ],
  [
    'sdxl',
    'conditioner.embedders.0.transformer.text_model.encoder.layers.1.mlp.fc1.bias',
    'conditioner.embedders.0.transformer.text_model.final_layer_norm.bias',
  ],
  [
    'sd3',
    'text_encoders.clip_l.transformer.text_model.encoder.layers.1.mlp.fc1.bias',
    'text_encoders.clip_l.transformer.text_model.final_layer_norm.bias',
  ],
  ['openclip', 'transformer.resblocks.1.mlp.c_fc.bias', 'ln_final.bias'],
  ['openclip-text', 'text.transformer.resblocks.1.mlp.c_fc.bias', 'text.ln_final.bias'],
  ['openclip-module', 'module.transformer.resblocks.1.mlp.c_fc.bias', 'module.ln_final.bias'],
  [
    'openclip-ldm',
    'cond_stage_model.model.transformer.resblocks.1.mlp.c_fc.bias',
    'cond_stage_model.model.ln_final.bias',
  ],
])('%s: its names, and a file that has them', (layoutName, fc1, finalBias) => {
  const layout = layouts[layoutName];
  expect(fileTensorName('text_model.encoder.layers.1.mlp.fc1.bias', layout)).toBe(fc1);
  expect(fileTensorName('text_model.final_layer_norm.bias', layout)).toBe(finalBias);
  const inFile = names.map((name) => fileTensorName(name, layout));
  expect(findLayout(named(inFile))).toEqual(layout);
  // One that has lost most of it, its token table too, is still recognised.
  expect(findLayout(named(inFile.slice(1, 4)))).toEqual(layout);
});

test("q, k and v are thirds of OpenAI's in_proj", () => {
  const third = (part: string) => fileTensor(`text_model.encoder.layers.7.self_attn.${part}`, layouts['openclip-text']);
  const name = 'text.transformer.resblocks.7.attn.in_proj_';
  expect(['q_proj.weight', 'k_proj.weight', 'v_proj.weight'].map(third)).toEqual(
    [0, 1, 2].map((third) => ({ name: `${name}weight`, third })),
  );
  expect(third('k_proj.bias')).toEqual({ name: `${name}bias`, third: 1 });
  expect(third('out_proj.weight')).toEqual({ name: 'text.transformer.resblocks.7.attn.out_proj.weight' });
  expect(fileTensor('text_model.embeddings.position_embedding.weight', layouts.openclip).name).toBe(
    'positional_embedding',
  );
});

test('the layout with most of the encoder wins over a stray tensor of another', () => {
  expect(findLayout(named([...names, 'cond_stage_model.transformer.text_model.final_layer_norm.bias']))).toEqual(
    layouts.hf,
  );
});

test('the image half beside or instead of the text half is not taken for it', () => {
  const vision = names.map((name) => name.replace('text_model.', 'vision_model.'));
  expect(findLayout(named([...vision, ...names]))).toEqual(layouts.hf);
  const bare = [...names.map((name) => fileTensorName(name, layouts['hf-bare'])), 'embeddings.patch_embedding.weight'];
  expect(findLayout(named(bare))).toBeUndefined();
});

const other: readonly (readonly [file: string, names: readonly string[], says: string, open: string])[] = [
  ['a kohya LoRA', ['lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight'], 'is a LoRA', 'it was made for'],
  ['a kohya U-Net LoRA', ['lora_unet_down_blocks_0_proj_in.alpha'], 'is a LoRA', 'it was made for'],
  [
    'a PEFT LoRA',
    ['text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_A.weight'],
    'is a LoRA',
    'it was made for',
  ],
  [
    'an old Diffusers LoRA',
    ['unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.down.weight'],
    'is a LoRA',
    'it was made for',
  ],
  [
    'a Diffusers text encoder LoRA',
    ['text_model.encoder.layers.0.self_attn.k_proj.lora_linear_layer.up.weight'],
    'is a LoRA',
    'it was made for',
  ],
  ['a LyCORIS', ['te_text_model_encoder_layers_0_mlp_fc1.hada_w1_a'], 'is a LoRA', 'it was made for'],
  ['an embedding of kohya', ['emb_params'], 'is a textual inversion', 'it was made for'],
  ['an embedding for SDXL', ['clip_g', 'clip_l'], 'is a textual inversion', 'it was made for'],
  ['an embedding of A1111', ['string_to_param.*'], 'is a textual inversion', 'it was made for'],
  ['an embedding of Diffusers', ['<cat-toy>'], 'is a textual inversion', 'it was made for'],
  ['a ControlNet', ['control_model.input_blocks.0.0.weight'], 'is a ControlNet', 'Stable Diffusion 1'],
  ['a Diffusers ControlNet', ['controlnet_cond_embedding.conv_in.bias', 'down_blocks.0.x'], 'is a ControlNet', ''],
  ['T5', ['encoder.block.0.layer.0.SelfAttention.q.weight', 'shared.weight'], 'T5', 'Stable Diffusion 1'],
  ['the image half', ['vision_model.encoder.layers.0.mlp.fc1.bias'], "only CLIP's image half", 'Stable Diffusion 1'],
  [
    'a U-Net',
    ['model.diffusion_model.input_blocks.0.0.weight', 'first_stage_model.decoder.conv_in.weight'],
    '(U-Net) without its text encoder',
    'Stable Diffusion 1',
  ],
  ['a Diffusers U-Net', ['conv_in.weight', 'down_blocks.0.resnets.0.conv1.weight'], '(U-Net) without', ''],
  ['Flux', ['double_blocks.0.img_attn.proj.bias'], 'without its text encoder', 'Stable Diffusion 1'],
  ['a VAE', ['first_stage_model.decoder.conv_in.weight'], 'is a VAE', 'Stable Diffusion 1'],
  ['a bare VAE', ['decoder.conv_in.weight', 'quant_conv.bias'], 'is a VAE', 'Stable Diffusion 1'],
  ['a Diffusers VAE', ['encoder.down_blocks.0.resnets.0.conv1.bias'], 'is a VAE', 'Stable Diffusion 1'],
  [
    'anything else',
    ['x', 'y.z', 'w', 'v'],
    'no tensors that are named as those of a CLIP text encoder are (it has "x", "y.z", "w", …)',
    'instead',
  ],
  ['names of objects', ['__proto__', 'constructor'], '(it has "__proto__", "constructor");', 'instead'],
  ['nothing', [], 'has no tensors', ''],
];

test.each(other)('%s is called by its name', (_, file, says, open) => {
  const tensors = new Map(file.map((name) => [name, { shape: [2, 768] }]));
  expect(findLayout(tensors)).toBeUndefined();
  const message = describeOtherFile(tensors);
  expect(message).toContain(says);
  expect(message).toContain(open);
});

test.each([
  [
    'a U-Net',
    ['model.diffusion_model.input_blocks.0.0.weight', 'first_stage_model.quant_conv.bias'],
    'has a diffusion model (U-Net)',
  ],
  ['T5', ['encoder.block.0.layer.0.SelfAttention.q.weight'], 'has a T5 text encoder'],
  [
    'the image half',
    ['vision_model.encoder.layers.0.mlp.fc1.bias', 'visual_projection.weight'],
    "has CLIP's image half",
  ],
  ['a VAE', ['decoder.conv_in.weight', 'quant_conv.bias'], 'has a VAE'],
  ['a ControlNet', ['control_model.input_blocks.0.0.weight'], 'has a ControlNet'],
  ['a LoRA', ['lora_unet_down_blocks_0_proj_in.alpha'], 'has tensors of a LoRA'],
])('%s beside names that nobody knows: that there is no encoder is not said', (_, names, part) => {
  const describe = (names: readonly string[]) =>
    describeOtherFile(new Map(names.map((name) => [name, { shape: [2, 768] }])));
  expect(describe(names)).not.toContain('not known');
  const message = describe([...names, 'words.stack.0.w', 'words.table']);
  expect(message).toContain(`${part}, and tensors whose names are not known here ("words.stack.0.w", "words.table")`);
  expect(message).toContain('none that is named as a CLIP text encoder');
});

test('parts of a pipeline that are known each are not called unknown', () => {
  const names = [
    'model.diffusion_model.joint_blocks.0.x.weight',
    't5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q.weight',
    'first_stage_model.decoder.conv_in.weight',
  ];
  const message = describeOtherFile(new Map(names.map((name) => [name, { shape: [2, 768] }])));
  expect(message).toContain('has a T5 text encoder and no CLIP');
});

test('a single tensor of another shape is no textual inversion', () => {
  expect(describeOtherFile(new Map([['x', { shape: [4, 3] }]]))).toContain('no tensors that are named');
  expect(describeOtherFile(new Map([['x', { shape: [] }]]))).toContain('no tensors that are named');
});
