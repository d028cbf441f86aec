import type { Lost } from '../worker/messages.ts';
import { shownEncoded } from './encoded.ts';
import { type Facts, requestName } from './facts.ts';
import { memoised } from './memoised.ts';
import { missingPasses } from './passPlan.ts';
import { isBeingRead, prepared } from './reading.ts';

/** The model in use as messages name it. */
export function modelName({ model, modelRequest }: Pick<Facts, 'model' | 'modelRequest'>): string {
  if (!model) return '';
  return model.random && modelRequest ? requestName(modelRequest) : model.name;
}

/** Whether the CPU runs the encoder, or will run the one that is loaded first. */
export const isOnCpu = ({ model, engineChoice }: Pick<Facts, 'model' | 'engineChoice'>): boolean =>
  (model?.engine ?? engineChoice).engine === 'cpu';

export interface EncoderStatus {
  readonly phase: 'idle' | 'busy' | 'ready' | 'failed';
  readonly text: string;
}

/** Whole milliseconds; tenths below ten. */
const milliseconds = (ms: number) => `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;

/** The cost of the last change, in two words and in sentences. */
export interface EncodingCost {
  readonly brief: string;
  readonly text: string;
}

const costOf = memoised((computed: number, total: number, ms: number, untilEos: number | undefined): EncodingCost => {
  const rows = `${computed} of this chunk’s ${total} rows were computed`;
  const kept = computed < total ? ' The others stay, because no token sees those that come after it.' : '';
  const whole = milliseconds(ms);
  if (untilEos === undefined) return { brief: whole, text: `The last change took ${whole}: ${rows}.${kept}` };
  const words = milliseconds(untilEos);
  return {
    brief: `${words}, with padding ${whole}`,
    text: `The last change took ${words} up to EOS, and ${whole} with the padding: ${rows}.${kept}`,
  };
});

const free: EncodingCost = {
  brief: 'nothing to encode',
  text: 'The last change took no encoding: the rows were there. Weights act on rows after they are computed, and chunks that were seen before are kept.',
};

/** Says how much the last change of the prompts made the encoder do; null while it is at work. */
export function encodingCost(facts: Facts): EncodingCost | null {
  const encoded = encoderStatus(facts).phase === 'ready' ? shownEncoded(facts) : undefined;
  if (!encoded) return null;
  const { rowsComputed, rowsTotal, milliseconds: ms, untilEos } = encoded.stats;
  return encoded.revision === facts.revision && rowsComputed > 0 ? costOf(rowsComputed, rowsTotal, ms, untilEos) : free;
}

const lostTexts: Readonly<Record<Lost['part'], string>> = {
  GPU: 'The GPU went away',
  thread: 'A thread of the encoder stopped',
  worker: 'The encoder’s worker stopped',
};

/** Says that a part of the encoder went away; no full stop at the end. */
export const lostText = ({ part }: Lost): string => lostTexts[part];

/** The line that says how the encoder is doing. */
export function encoderStatus(facts: Facts): EncoderStatus {
  const { noEngine, loading, lost, encodeFailure, model } = facts;
  if (loading) {
    const { progress, request, isCancelled } = loading;
    if (isCancelled) return { phase: 'busy', text: `Cancelling the load of ${requestName(request)}` };
    // Steps of 5 %, so that a screen reader is not flooded.
    const percent = progress && progress.total > 0 ? ` ${Math.floor((progress.done / progress.total) * 20) * 5} %` : '';
    return { phase: 'busy', text: `Loading ${requestName(request)}${percent}` };
  }
  if (noEngine !== null) return { phase: 'idle', text: 'No encoder: tokens, weights and masks only' };
  if (lost) return { phase: 'failed', text: `${lostText(lost)}: ${lost.reason}.` };
  if (!model) return { phase: 'idle', text: 'No model loaded' };
  const shown = prepared(facts, facts.side);
  if (!shown)
    return {
      phase: 'busy',
      text: isBeingRead(facts, facts.side) ? 'Reading the prompt' : `${modelName(facts)} loaded`,
    };
  const missing = missingPasses(facts);
  if (encodeFailure && encodeFailure.keys === missing?.keys)
    return { phase: 'failed', text: `Encoding failed: ${encodeFailure.message}` };
  if (missing) {
    const more = missing.total > 1 ? `: ${missing.total} runs to go` : '';
    return { phase: 'busy', text: `Encoding${more}` };
  }
  return { phase: 'ready', text: `Ready: ${modelName(facts)}` };
}
