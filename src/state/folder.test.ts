import { expect, test } from 'vitest';
import { filesToOpen } from './folder.ts';
import { droppedFolder } from './testing/droppedFolder.ts';

test.each<[string, Record<string, string | object>, string[]]>([
  [
    'a pipeline of Diffusers',
    {
      'model_index.json': '{}',
      unet: { 'diffusion_pytorch_model.safetensors': 'unet' },
      text_encoder: { 'config.json': '{}', 'pytorch_model.bin': 'old', 'model.safetensors': 'new' },
      text_encoder_2: { 'model.safetensors': 'bigG' },
    },
    ['new'],
  ],
  ['a model of transformers', { 'config.json': '{}', 'a.txt': '', 'pytorch_model.bin': 'weights' }, ['weights']],
  [
    'a LoRA of PEFT',
    { 'README.md': '', 'adapter_config.json': 'settings', 'adapter_model.safetensors': 'lora' },
    ['lora', 'settings'],
  ],
  ['a LoRA of Diffusers', { 'README.md': '', 'pytorch_lora_weights.safetensors': 'lora' }, ['lora']],
  ['half precision alone', { text_encoder: { 'model.fp16.safetensors': 'half' } }, ['half']],
  ['other files', { 'style.safetensors': 'x', inner: { 'model.safetensors': 'y' } }, []],
  ['nothing', {}, []],
])('of a folder with %s', async (_, content, texts) => {
  const files = await filesToOpen(droppedFolder('dropped', content));
  expect(await Promise.all(files.map((file) => file.text()))).toEqual(texts);
});
