import { fromFloat32, type WeightDtype } from '../../files/dtypes.ts';
import { writeSafetensors } from '../../files/safetensors.ts';
import { createRandom, normal } from '../seededRandom.ts';

/** Blocks of Stable Diffusion 1.5's U-Net that have a cross-attention layer, in the order in which they run. */
export const unetBlocks = [
  { ldm: 'input_blocks.1.1', diffusers: 'down_blocks.0.attentions.0', name: 'down 1', channels: 320 },
  { ldm: 'input_blocks.2.1', diffusers: 'down_blocks.0.attentions.1', name: 'down 2', channels: 320 },
  { ldm: 'input_blocks.4.1', diffusers: 'down_blocks.1.attentions.0', name: 'down 3', channels: 640 },
  { ldm: 'input_blocks.5.1', diffusers: 'down_blocks.1.attentions.1', name: 'down 4', channels: 640 },
  { ldm: 'input_blocks.7.1', diffusers: 'down_blocks.2.attentions.0', name: 'down 5', channels: 1280 },
  { ldm: 'input_blocks.8.1', diffusers: 'down_blocks.2.attentions.1', name: 'down 6', channels: 1280 },
  { ldm: 'middle_block.1', diffusers: 'mid_block.attentions.0', name: 'mid', channels: 1280 },
  { ldm: 'output_blocks.3.1', diffusers: 'up_blocks.1.attentions.0', name: 'up 1', channels: 1280 },
  { ldm: 'output_blocks.4.1', diffusers: 'up_blocks.1.attentions.1', name: 'up 2', channels: 1280 },
  { ldm: 'output_blocks.5.1', diffusers: 'up_blocks.1.attentions.2', name: 'up 3', channels: 1280 },
  { ldm: 'output_blocks.6.1', diffusers: 'up_blocks.2.attentions.0', name: 'up 4', channels: 640 },
  { ldm: 'output_blocks.7.1', diffusers: 'up_blocks.2.attentions.1', name: 'up 5', channels: 640 },
  { ldm: 'output_blocks.8.1', diffusers: 'up_blocks.2.attentions.2', name: 'up 6', channels: 640 },
  { ldm: 'output_blocks.9.1', diffusers: 'up_blocks.3.attentions.0', name: 'up 7', channels: 320 },
  { ldm: 'output_blocks.10.1', diffusers: 'up_blocks.3.attentions.1', name: 'up 8', channels: 320 },
  { ldm: 'output_blocks.11.1', diffusers: 'up_blocks.3.attentions.2', name: 'up 9', channels: 320 },
] as const;

export interface UnetOptions {
  readonly layout: 'ldm' | 'diffusers';
  /** Numbers of a row of the conditioning. */
  readonly d: number;
  /** Channels of a file as many times smaller than Stable Diffusion's. */
  readonly smaller: number;
  readonly dtype?: WeightDtype;
}

/** Name of a weight of a U-Net's cross-attention, as the layout has it. */
export const unetName = (
  layout: UnetOptions['layout'],
  block: (typeof unetBlocks)[number],
  part: 'to_k' | 'to_v' | 'to_q',
) => `${layout === 'ldm' ? 'model.diffusion_model.' : ''}${block[layout]}.transformer_blocks.0.attn2.${part}.weight`;

/** Random tensors of a U-Net's cross-attention, the same in both layouts: W_Q, W_K and W_V of each layer, and one of its own attention. */
export function unetTensors({ layout, d, smaller, dtype = 'F16' }: UnetOptions) {
  const random = createRandom(7);
  return unetBlocks.flatMap((block) => {
    const channels = block.channels / smaller;
    const tensor = (name: string, width: number) => {
      const values = Float32Array.from({ length: channels * width }, () => normal(random) / Math.sqrt(width));
      const bytes = fromFloat32(values, dtype);
      return { name, dtype, shape: [channels, width], data: bytes };
    };
    return [
      tensor(unetName(layout, block, 'to_q'), channels),
      tensor(unetName(layout, block, 'to_k'), d),
      tensor(unetName(layout, block, 'to_v'), d),
      tensor(unetName(layout, block, 'to_k').replace('attn2', 'attn1'), channels),
    ];
  });
}

/** The file of such a U-Net. */
export const unetBytes = (options: UnetOptions): Uint8Array<ArrayBuffer> => writeSafetensors(unetTensors(options));
