import { writeFile } from 'node:fs/promises';
import type { ClipTextConfig } from '../../clip/config.ts';
import { expectedTensors, type WeightSource } from '../../clip/weights.ts';
import { fromFloat32, type WeightDtype } from '../../files/dtypes.ts';
import { safetensorsHeader, type TensorEntry } from '../../files/safetensors.ts';
import { dtypeBytes, elementCount } from '../../files/tensorFile.ts';
import { torchBytes } from '../../files/testing/torch.ts';
import { syntheticWeights } from '../synthetic.ts';
import { fileTensor, fileTensorName, type Layout, wholeShape } from '../tensorNames.ts';

/** Layouts of real files. */
export const layouts = {
  /** Hugging Face `text_encoder/model.safetensors`, the full CLIP, ComfyUI's `clip_l`. */
  hf: { prefix: 'text_model.', names: 'transformers' },
  /** transformers 5 in memory. */
  'hf-bare': { prefix: '', names: 'transformers' },
  /** Stable Diffusion 1 checkpoint of CompVis and A1111. */
  ldm: { prefix: 'cond_stage_model.transformer.text_model.', names: 'transformers' },
  /** Stable Diffusion 1 checkpoint from before transformers had `text_model`. */
  'ldm-bare': { prefix: 'cond_stage_model.transformer.', names: 'transformers' },
  /** SDXL's first encoder, which is the same network. */
  sdxl: { prefix: 'conditioner.embedders.0.transformer.text_model.', names: 'transformers' },
  /** Stable Diffusion 3 and Flux in one file, whose first encoder it is, too. */
  sd3: { prefix: 'text_encoders.clip_l.transformer.text_model.', names: 'transformers' },
  /** OpenAI's `ViT-L-14.pt`, and OpenCLIP's models. */
  openclip: { prefix: '', names: 'openai' },
  /** OpenCLIP's models with a text tower of their own. */
  'openclip-text': { prefix: 'text.', names: 'openai' },
  /** OpenCLIP's training checkpoints. */
  'openclip-module': { prefix: 'module.', names: 'openai' },
  /** A checkpoint with OpenCLIP's names; usually Stable Diffusion 2, whose encoder is another. */
  'openclip-ldm': { prefix: 'cond_stage_model.model.', names: 'openai' },
} as const satisfies Record<string, Layout>;

export type LayoutName = keyof typeof layouts;

export interface CheckpointOptions {
  readonly config: ClipTextConfig;
  readonly dtype: WeightDtype;
  readonly layout: LayoutName | Layout;
  /** The encoder's weights, in `dtype`; synthetic ones if there are no others. */
  readonly weights?: WeightSource;
  /** Tensors beside the encoder's and those that such a file has anyway. */
  readonly extra?: readonly DataSpec[];
  /** Metadata beside its format. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A tensor to be written; its bytes are made when their turn comes. */
interface DataSpec extends TensorEntry {
  data(): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * Returns the other tensors of a real file of this layout, cut down to a few; some sort before the encoder, some after.
 */
function neighbours({ config, dtype, layout }: CheckpointOptions): DataSpec[] {
  if (typeof layout === 'object') return [];
  const { maxPositionEmbeddings: L, hiddenSize: d } = config;
  const tensor = (
    name: string,
    type: WeightDtype,
    shape: readonly number[],
    value = (i: number) => i / 1000,
  ): DataSpec => ({
    name,
    dtype: type,
    shape,
    data: () =>
      fromFloat32(
        Float32Array.from({ length: elementCount(shape) }, (_, i) => value(i)),
        type,
      ),
  });
  const positionIds = fileTensorName('text_model.embeddings.position_ids', layouts[layout]);
  switch (layout) {
    case 'hf': // Files from before transformers 4.31 have them.
      return [
        {
          name: positionIds,
          dtype: 'I64',
          shape: [1, L],
          data: () => new Uint8Array(BigInt64Array.from({ length: L }, (_, i) => BigInt(i)).buffer),
        },
      ];
    case 'hf-bare':
    case 'openclip-module':
    case 'openclip-text':
      return [];
    case 'openclip':
      return [
        tensor('text_projection', dtype, [d, d]),
        tensor('logit_scale', 'F32', []),
        tensor('visual.conv1.weight', dtype, [8, 3, 14, 14]),
        tensor('visual.transformer.resblocks.0.ln_1.weight', dtype, [8]),
      ];
    default:
      return [
        // Programs that merge checkpoints round the ids with everything else.
        tensor(positionIds, dtype, [1, L], (i) => i),
        tensor('alphas_cumprod', 'F32', [1000]),
        tensor('first_stage_model.decoder.conv_in.bias', dtype, [512]),
        tensor('model.diffusion_model.input_blocks.0.0.bias', 'F32', [320]),
        tensor('model.diffusion_model.input_blocks.0.0.weight', dtype, [320, 4, 3, 3]),
        tensor('model.diffusion_model.time_embed.0.weight', dtype, [1280, 320]),
      ];
  }
}

function specs(options: CheckpointOptions): DataSpec[] {
  const { config, dtype, weights = syntheticWeights(config, { dtype }) } = options;
  const encoder: DataSpec[] = [];
  for (const [name, shape] of expectedTensors(config)) {
    const file = fileTensor(name, typeof options.layout === 'object' ? options.layout : layouts[options.layout]);
    if (file.third) continue;
    encoder.push({
      name: file.name,
      dtype,
      shape: wholeShape(file, shape),
      async data() {
        if (file.third === undefined) return weights.read(name);
        const thirds = ['q_proj', 'k_proj', 'v_proj'].map((part) => weights.read(name.replace('q_proj', part)));
        return new Uint8Array(Buffer.concat(await Promise.all(thirds)));
      },
    });
  }
  return [...encoder, ...neighbours(options), ...(options.extra ?? [])];
}

/** Yields the file's bytes, one tensor at a time. */
async function* pieces(order: readonly DataSpec[], header: Uint8Array<ArrayBuffer>): AsyncGenerator<Uint8Array> {
  yield header;
  for (const { data } of order) yield await data();
}

/** Makes a safetensors checkpoint, with its layout's usual other tensors. */
export async function checkpointBytes(options: CheckpointOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { header, order } = safetensorsHeader(specs(options), { format: 'pt', ...options.metadata });
  const dataBytes = order.reduce((sum, { dtype, shape }) => sum + elementCount(shape) * dtypeBytes[dtype], 0);
  const out = new Uint8Array(header.length + dataBytes);
  let at = 0;
  for await (const piece of pieces(order, header)) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

/** Writes such a checkpoint to a file, with one tensor in memory at a time. */
export async function writeCheckpointFile(path: string, options: CheckpointOptions): Promise<void> {
  const { header, order } = safetensorsHeader(specs(options), { format: 'pt', ...options.metadata });
  await writeFile(path, pieces(order, header));
}

/** Makes such a checkpoint as `torch.save` writes it, within `state_dict` as in a .ckpt. */
export async function torchCheckpointBytes(options: CheckpointOptions): Promise<Uint8Array<ArrayBuffer>> {
  const tensors = await Promise.all(specs(options).map(async (spec) => ({ ...spec, data: await spec.data() })));
  return torchBytes(tensors, {
    within: (state) =>
      new Map<string, unknown>([
        ['global_step', 470000],
        ['state_dict', state],
      ]),
  });
}
