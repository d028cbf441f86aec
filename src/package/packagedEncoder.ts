/** The encoder of the package, on whatever engines its surroundings have. */
import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderOutput, EncoderPass } from '../clip/encoderPass.ts';
import type { WeightSource } from '../clip/weights.ts';
import type { WeightedLora } from '../engine/backend.ts';
import type { EngineInfo, EngineName } from '../engine/engineChoice.ts';
import { mergedFinalLayerNorm } from '../models/loraDelta.ts';
import { clipSkip, clipSkipHiddenStates } from '../road/clipSkip.ts';
import type { ConditioningTensor } from '../road/export/exportConditioning.ts';
import { chooseEncoder, type Engines } from '../worker/engines.ts';
import type { PreparedPrompts } from './weighting.ts';

export interface EncoderOptions {
  /** `automatic` takes a GPU where there is one, and else the CPU. By default `automatic`. */
  readonly engine?: EngineName;
  /** Threads of the CPU engine; by default one a core, as far as the model is worth them. */
  readonly threads?: number;
  /** Ends the loading with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Hears of the bytes of weights that were read. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A LoRA that `openLora` (clipscope/files) opened, and by how much it is added: `{ ...lora, multiplier: 0.8 }`. */
export interface EncoderLora extends WeightedLora {
  /** The encoder that it was opened for. */
  readonly config: ClipTextConfig;
}

/** Results beyond the last hidden state, the LoRAs to compute with, and a signal to stop by. */
export interface EncodeWant {
  /** Indices into transformers' `hidden_states`: 0 the embeddings, i the output of layer i before the final LayerNorm. */
  readonly hiddenStates?: readonly number[];
  readonly attentions?: boolean;
  /**
   * LoRAs to merge into the weights, in this order, and no others; without any, the results are to the bit those of the model.
   * Rejects with RangeError for one of an encoder of other sizes, and for a multiplier that is no finite number.
   */
  readonly loras?: readonly EncoderLora[];
  readonly signal?: AbortSignal;
}

/** A text encoder with its weights in an engine's memory. Its calls run one at a time, in the order in which they were made. */
export interface ClipEncoder {
  readonly config: ClipTextConfig;
  /** The engine that runs it, and why no better one does. */
  readonly engine: EngineInfo;
  /** Encodes rows of ids. Rejects with the engine's error, or with the signal's reason. */
  encode(passes: readonly EncoderPass[], want?: EncodeWant): Promise<readonly EncoderOutput[]>;
  /** Encodes and weighs prompts of `prepare` (clipscope/weighting), with their clip skip: what diffusers and ComfyUI take. */
  encodePrompts(
    prompts: PreparedPrompts,
    options?: Pick<EncodeWant, 'loras' | 'signal'>,
  ): Promise<ConditioningTensor[]>;
  /** Ends the threads and frees the memory. In Node a CPU encoder keeps the process running until then. */
  close(): void;
}

/** Makes the package's `createEncoder` out of the engines that there are. */
export function encoderMaker(engines: Engines) {
  return async (source: WeightSource, options: EncoderOptions = {}): Promise<ClipEncoder> => {
    const { engine: name = 'automatic', threads = null, signal, onProgress } = options;
    const loading = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
    const { encoder, engine } = await chooseEncoder(source, { engine: name, threads }, engines, loading);
    const { config, finalLayerNorm } = encoder;
    const encode: ClipEncoder['encode'] = async (passes, want = {}) => {
      const { hiddenStates = [], attentions = false, loras = [], signal } = want;
      checkLoras(loras, config);
      const { outputs } = await encoder.encode(
        passes,
        { hiddenStates, attentions },
        { loras, ...(signal && { signal }) },
      );
      return outputs;
    };
    return {
      config,
      engine,
      encode,
      async encodePrompts(prompts, { loras = [], signal } = {}) {
        const skip = prompts.options.clipSkip;
        const want = { hiddenStates: clipSkipHiddenStates(skip, config), loras, ...(signal && { signal }) };
        const outputs = await encode(prompts.passes, want);
        const norm = mergedFinalLayerNorm(finalLayerNorm, loras);
        return prompts.weigh(outputs.map((output) => clipSkip(output, skip, config, norm)));
      },
      close: () => encoder.destroy(),
    };
  };
}

const sizes = ['hiddenSize', 'intermediateSize', 'numHiddenLayers', 'vocabSize', 'maxPositionEmbeddings'] as const;

/** Throws RangeError for LoRAs that would make numbers of no meaning, and no error. */
function checkLoras(loras: readonly EncoderLora[], own: ClipTextConfig): void {
  for (const { multiplier, config } of loras) {
    if (!Number.isFinite(multiplier))
      throw new RangeError(`The "multiplier" of a LoRA is a finite number, not ${multiplier}.`);
    const other = sizes.find((size) => config?.[size] !== own[size]);
    if (other)
      throw new RangeError(
        `A LoRA was opened for an encoder whose ${other} is ${config?.[other]}, not ${own[other]}: open it for this encoder.`,
      );
  }
}
