import { type ClipTextConfig, clipVitL14 } from '../clip/config.ts';
import { type EncoderPass, passKey } from '../clip/encode.ts';
import type { Tokenizer } from '../clip/tokenizer.ts';
import type { PromptToken } from '../clip/tokens.ts';
import {
  type PreparedPrompt,
  type PromptOptions,
  preparePrompt,
  promptEmbeds,
  type WeightingMethod,
} from '../weighting/pipeline.ts';
import { type EncodedPass, type Facts, requestName, type Side } from './facts.ts';

/** Remembers the last result, as long as every argument is the same object as before. */
function memoised<A extends readonly unknown[], R>(derive: (...args: A) => R): (...args: A) => R {
  let last: { args: A; result: R } | undefined;
  return (...args) => {
    if (!last || args.some((arg, i) => !Object.is(arg, last?.args[i]))) last = { args, result: derive(...args) };
    return last.result;
  };
}

/** Keeps the passes that a change of weights leaves as they were, so that nothing is derived from them again. */
function preparing() {
  let before: PreparedPrompt | undefined;
  return memoised((prompt: string, options: PromptOptions, tokenizer: Tokenizer): PreparedPrompt => {
    const now = preparePrompt(prompt, options, tokenizer);
    const same = before && `${before.passes.map(passKey)}` === `${now.passes.map(passKey)}`;
    before = same && before ? { ...now, passes: before.passes } : now;
    return before;
  });
}

const prepare = { positive: preparing(), negative: preparing() };

/** Tokens, weights, masks and passes of a prompt; undefined until the tokenizer is loaded. */
export function prepared(facts: Facts, side: Side): PreparedPrompt | undefined {
  if (facts.tokenizer.phase !== 'ready') return undefined;
  return prepare[side](facts.prompts[side], facts.options, facts.tokenizer.tokenizer);
}

const keysOf = memoised((passes: readonly EncoderPass[]) => passes.map(passKey));

/** The passes of the prompt on show whose outputs are not there yet. */
export function missingPasses(facts: Facts): readonly EncoderPass[] {
  const shown = prepared(facts, facts.side);
  if (!shown) return [];
  const keys = keysOf(shown.passes);
  return shown.passes.filter((_, i) => !facts.encoded.has(keys[i]));
}

/** A prompt with what the encoder made of it: what the pictures of attention and embeddings show. */
export interface EncodedPrompt {
  readonly config: ClipTextConfig;
  readonly prepared: PreparedPrompt;
  /** One a pass. */
  readonly encoded: readonly EncodedPass[];
}

const encodedPrompt = memoised(
  (shown: PreparedPrompt, outputs: Facts['encoded'], config: ClipTextConfig): EncodedPrompt | undefined => {
    const encoded = keysOf(shown.passes).map((key) => outputs.get(key));
    return encoded.every((pass) => pass !== undefined) ? { config, prepared: shown, encoded } : undefined;
  },
);

/** The prompt on show, encoded; undefined while it is not. */
export function shownEncoded(facts: Facts): EncodedPrompt | undefined {
  const shown = prepared(facts, facts.side);
  return shown && facts.model ? encodedPrompt(shown, facts.encoded, facts.model.config) : undefined;
}

/** [L, d] The conditioning of an encoded prompt. */
export const embedsOf = memoised(({ config, prepared, encoded }: EncodedPrompt, method: WeightingMethod) =>
  promptEmbeds(
    prepared,
    encoded.map(({ output }) => output),
    method,
    config.hiddenSize,
  ),
);

/** [L] What a person calls each token: BOS, EOS, PAD, or its text with bytes decoded. */
export const tokenLabels = memoised((tokens: readonly PromptToken[], tokenizer: Tokenizer): readonly string[] =>
  tokens.map((token) => tokenLabel(token, tokenizer)),
);

export function tokenLabel({ kind, id, text }: PromptToken, tokenizer: Tokenizer): string {
  if (kind !== 'text') return kind.toUpperCase();
  // Part of a character has no text of its own; the vocabulary's stand-ins for its bytes are all there is to show.
  const decoded = tokenizer.decode([id]).trim();
  return decoded === '' || decoded.includes('\ufffd') ? text.replace('</w>', '') : decoded;
}

/** Sizes of the model in use; before there is one, those of the model to come. */
export function shownConfig(facts: Facts) {
  return facts.model?.config ?? clipVitL14;
}

/** The layer and head on show, from 0, within what the model has. */
export function shownLayer(facts: Facts): number {
  return Math.min(facts.layer, shownConfig(facts).numHiddenLayers - 1);
}
export function shownHead(facts: Facts): number {
  return Math.min(facts.head, shownConfig(facts).numAttentionHeads - 1);
}

/** What messages call the model in use. */
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

/** The one line that says how the encoder is doing. */
export function encoderStatus(facts: Facts): EncoderStatus {
  const { adapter, loading, lost, encodeFailure, model } = facts;
  if (adapter.phase === 'missing') return { phase: 'idle', text: 'No WebGPU: tokens, weights and masks only' };
  if (adapter.phase === 'starting') return { phase: 'busy', text: 'Looking for a GPU' };
  if (loading) {
    const { progress, request } = loading;
    // In steps of 5 %, so that a screen reader is not flooded.
    const percent = progress && progress.total > 0 ? ` ${Math.floor((progress.done / progress.total) * 20) * 5} %` : '';
    return { phase: 'busy', text: `Loading ${requestName(request)}${percent}` };
  }
  if (lost) return { phase: 'failed', text: `The GPU went away: ${lost}` };
  if (!model) return { phase: 'idle', text: 'No model loaded' };
  const shown = prepared(facts, facts.side);
  if (!shown) return { phase: 'busy', text: `${modelName(facts)} loaded` };
  const missing = missingPasses(facts);
  if (encodeFailure && encodeFailure.keys === missing.map(passKey).join(' '))
    return { phase: 'failed', text: `Encoding failed: ${encodeFailure.message}` };
  const encoded = shownEncoded(facts);
  if (!encoded) return { phase: 'busy', text: `Encoding with ${modelName(facts)}` };
  const ms = Math.max(...encoded.encoded.map(({ stats }) => stats.milliseconds));
  return { phase: 'ready', text: `Ready: ${modelName(facts)}, ${milliseconds(ms)}` };
}
