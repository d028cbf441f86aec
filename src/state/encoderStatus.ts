import { type EncodedChunk, shownEncoded } from './encoded.ts';
import { type Facts, requestName } from './facts.ts';
import { missingPasses } from './passPlan.ts';
import { prepared } from './reading.ts';

/** The model in use as messages name it. */
export function modelName(facts: Facts): string {
  if (!facts.model) return '';
  return facts.model.random ? `${facts.model.name} (random weights)` : facts.model.name;
}

export interface EncoderStatus {
  readonly phase: 'idle' | 'busy' | 'ready' | 'failed';
  readonly text: string;
}

/** Whole milliseconds; tenths below ten. */
const milliseconds = (ms: number) => `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;

/** Says how many rows the last change of the prompts took; none where the output was there before it. */
function recomputed(facts: Facts, { stats, revision }: EncodedChunk): string {
  const { rowsComputed, rowsTotal } = stats;
  if (revision !== facts.revision) return `0 of ${rowsTotal} rows`;
  return `${rowsComputed} of ${rowsTotal} rows, ${milliseconds(stats.milliseconds)}`;
}

/** The line that says how the encoder is doing. */
export function encoderStatus(facts: Facts): EncoderStatus {
  const { adapter, loading, lost, encodeFailure, model } = facts;
  if (adapter.phase === 'missing') return { phase: 'idle', text: 'No WebGPU: tokens, weights and masks only' };
  if (adapter.phase === 'starting') return { phase: 'busy', text: 'Looking for a GPU' };
  if (loading) {
    const { progress, request, isCancelled } = loading;
    if (isCancelled) return { phase: 'busy', text: `Cancelling the load of ${requestName(request)}` };
    // Steps of 5 %, so that a screen reader is not flooded.
    const percent = progress && progress.total > 0 ? ` ${Math.floor((progress.done / progress.total) * 20) * 5} %` : '';
    return { phase: 'busy', text: `Loading ${requestName(request)}${percent}` };
  }
  if (lost) return { phase: 'failed', text: `The GPU went away: ${lost}` };
  if (!model) return { phase: 'idle', text: 'No model loaded' };
  const shown = prepared(facts, facts.side);
  if (!shown) return { phase: 'busy', text: `${modelName(facts)} loaded` };
  const missing = missingPasses(facts);
  if (encodeFailure && encodeFailure.keys === missing?.keys)
    return { phase: 'failed', text: `Encoding failed: ${encodeFailure.message}` };
  if (missing) {
    const more = missing.total > 1 ? `, ${missing.total} passes to go` : '';
    return { phase: 'busy', text: `Encoding with ${modelName(facts)}${more}` };
  }
  const encoded = shownEncoded(facts);
  const cost = encoded ? `, recomputed ${recomputed(facts, encoded)}` : '';
  return { phase: 'ready', text: `Ready: ${modelName(facts)}${cost}` };
}
