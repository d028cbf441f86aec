import { rowsWithout } from '../../analyses/ablation.ts';
import type { SwitchedOff } from '../../analyses/analysisEncoder.ts';
import { type EncoderOutput, type EncoderPass, passKey } from '../../clip/encoderPass.ts';
import type { ResumedRows } from '../../clip/layerTensors.ts';
import type { Encoder } from '../../engine/encoder.ts';
import { keepRows } from '../../pictures/keptRows.ts';
import { type SaidPrompt, saidThrough } from '../../pictures/pictureVerdict.ts';
import {
  readSteps,
  type StepConditioning,
  type SteppedPrompts,
  stepConditionings,
  stepPasses,
} from '../../pictures/promptSteps.ts';
import { withTriedWeight } from '../../pictures/sweptPrompt.ts';
import type { Side } from '../../prompt/side.ts';
import { clipSkip, clipSkipHiddenStates, clipSkipState } from '../../road/clipSkip.ts';
import type { PromptOptions } from '../../road/options.ts';
import type { PromptEmbedding } from '../../tokens/promptTokens.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';
import { distinct } from '../../weighting/method.ts';
import type { PictureTake } from './pictureMessages.ts';

/** A take as the denoiser needs it. */
export interface ConditionedTake {
  /** One for each step that the options count. */
  readonly steps: readonly StepConditioning[];
  readonly said: SaidPrompt;
}

/** A prompt cannot be read. The message is the sentence that says why. */
export class UnreadPromptError extends Error {
  override name = 'UnreadPromptError';
}

/** Everything that decides a pass's rows beside the pass. */
interface Reading {
  readonly skip: number;
  /** Null also where the state that is read comes before what is off. */
  readonly off: SwitchedOff | null;
}

/** Outputs that are kept; what is over is forgotten, the oldest first. */
const mostKept = 600;
/** Passes that are encoded at once, before others may have their turn. */
const encodedAtOnce = 8;

/** Conditions takes with a small text encoder, of which it keeps the outputs. */
export function takeConditioner(encoder: Encoder, tokenizer: Tokenizer) {
  /** [77, d] by the way of reading and the pass. */
  const outputs = new Map<string, Float32Array>();
  const keyOf = (reading: Reading, pass: EncoderPass) => `${JSON.stringify(reading)} ${passKey(pass)}`;
  const { config, finalLayerNorm } = encoder;

  async function encode(passes: readonly EncoderPass[], reading: Reading, breathe: () => Promise<void>): Promise<void> {
    const { skip, off } = reading;
    const missing = passes.filter((pass) => !outputs.has(keyOf(reading, pass)));
    const hiddenStates = clipSkipHiddenStates(skip, config);
    const rowsOf = (output: EncoderOutput) => clipSkip(output, skip, config, finalLayerNorm);
    const without = {
      config,
      layer: encoder.inspect,
      resume: async (pass: EncoderPass, layer: number, given: ResumedRows) =>
        rowsOf(await encoder.resume(pass, layer, given, hiddenStates)),
    };
    for (let at = 0; at < missing.length; at += encodedAtOnce) {
      const batch = missing.slice(at, at + encodedAtOnce);
      const rows = off
        ? await Promise.all(batch.map((pass) => rowsWithout(pass, off, without)))
        : (await encoder.encode(batch, { hiddenStates, attentions: false })).outputs.map(rowsOf);
      for (const [i, pass] of batch.entries()) outputs.set(keyOf(reading, pass), rows[i]);
      await breathe();
    }
  }

  function forgetOldest(): void {
    for (const key of outputs.keys()) {
      if (outputs.size <= mostKept) return;
      outputs.delete(key);
    }
  }

  /** `breathe` lets messages in, and rejects where nobody waits any more. */
  return async (
    { prompts, options: typed, rows, tried, off }: PictureTake,
    embeddings: readonly PromptEmbedding[],
    breathe: () => Promise<void>,
  ): Promise<ConditionedTake> => {
    const skip = Math.min(typed.clipSkip, config.numHiddenLayers + 1);
    const options: PromptOptions = { ...typed, clipSkip: skip };
    const fitting = embeddings.filter(({ vectors }) => vectors[0].length === config.hiddenSize);
    const read = (side: Side) => readSteps(prompts[side], options, tokenizer, side, fitting);
    const positive = read('positive');
    const negative = read('negative');
    const refusal = [...positive.readings, ...negative.readings].find((one) => one.refusal)?.refusal;
    if (refusal) throw new UnreadPromptError(refusal);
    const weighed = tried
      ? positive.readings.map((one) => withTriedWeight(one, tried, options, tokenizer, fitting))
      : positive.readings;
    const both: SteppedPrompts = { positive: { ...positive, readings: weighed }, negative };
    const said = saidThrough(both.positive, options.weighting);
    const { empty } = weighed[0].conditionings[0].composition.empty;
    const isRead = off !== null && off.layer < clipSkipState(skip, config);
    const reading: Reading = { skip, off: isRead ? off : null };
    await encode(distinct([...stepPasses(both, options), empty]), reading, breathe);
    const zOf = (pass: EncoderPass) => outputs.get(keyOf(reading, pass))!;
    const steps = stepConditionings(both, options, zOf);
    const changed = new Map([...new Set(steps)].map((step) => [step, keepRows(step, zOf(empty), rows)]));
    forgetOldest();
    return { steps: steps.map((step) => changed.get(step)!), said };
  };
}
