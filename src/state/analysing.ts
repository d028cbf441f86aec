/** Analyses of the prompt on show: asked for one at a time, worked off pass by pass, and kept by what they are of. */

import type { AnalysisEncoder } from '../analyses/analysisEncoder.ts';
import { type EncoderPass, type EncoderWant, passKey } from '../clip/encoderPass.ts';
import { layerNorm } from '../clip/reference.ts';
import { clipSkip, clipSkipHiddenStates } from '../road/clipSkip.ts';
import type { EncodeStats, LoraUse, ModelInfo } from '../worker/messages.ts';
import { mergedModelOf } from './encoded.ts';
import type { AnalysisTask, EncodedPass, Facts } from './facts.ts';
import { lorasKey } from './lorasKey.ts';
import { messageOf } from './notices.ts';
import type { Page } from './page.ts';
import { editablePasses, mostPasses, outputsOf } from './passPlan.ts';
import { usedLoras } from './reading.ts';
import { shownClipSkip } from './shownSizes.ts';

/** A computation for one chunk, by one model. */
export interface Analysis<R> {
  /** Names the computation and everything that it depends on: two with the same key have the same result. */
  readonly key: string;
  /** About how many passes of the encoder it takes, without those that are there. */
  readonly passes: number;
  /** Answers of the encoder after which it is done, where they are not whole passes. */
  readonly steps?: number;
  /** `signal` is for what is asked of others than the encoder. */
  run(encoder: AnalysisEncoder, signal: AbortSignal): Promise<R>;
}

export interface AnalysingActions {
  /** Starts an analysis in place of the one under way. Returns how to stop it, for when nobody looks any more. */
  analyse(analysis: Analysis<unknown>): () => void;
  /** Asks the encoder for something of which nothing is kept, beside the analysis under way. Rejects with what went wrong. */
  askEncoder<R>(ask: (encoder: AnalysisEncoder) => Promise<R>, signal: AbortSignal): Promise<R>;
}

const modelNumbers = new WeakMap<ModelInfo, number>();
let models = 0;

/** Names the model and all else that an analysis depends on beside its passes. */
export function analysisContext(facts: Facts): string {
  const { model } = facts;
  if (model && !modelNumbers.has(model)) modelNumbers.set(model, models++);
  return [model && modelNumbers.get(model), lorasKey(usedLoras(facts)), shownClipSkip(facts)].join(' ');
}

/** Results that are kept: enough to come back to each analysis of some prompts. */
const mostResults = 40;
/** Rows of passes that are kept for other analyses of the same words, [L, d] each. */
const mostRows = 96;

/** Milliseconds a row of the quickest encode of each model: the first ones take longer, while the engine wakes up. */
const quickest = new WeakMap<ModelInfo, number>();

function timed(model: ModelInfo, { milliseconds, rowsComputed }: EncodeStats): void {
  if (rowsComputed > 0)
    quickest.set(model, Math.min(quickest.get(model) ?? Number.POSITIVE_INFINITY, milliseconds / rowsComputed));
}

/** Milliseconds that a whole pass takes, from the quickest known; undefined before one is. */
export function passMilliseconds(facts: Facts): number | undefined {
  const { model } = facts;
  if (!model) return undefined;
  for (const { stats } of outputsOf(facts).values()) timed(model, stats);
  const ofRow = quickest.get(model);
  return ofRow === undefined ? undefined : ofRow * model.config.maxPositionEmbeddings;
}

/** Keeps the rows of the last passes, as long as model, LoRAs and clip skip are the same. */
function rowsKeeper() {
  let of: readonly [ModelInfo, string] | undefined;
  const known = new Map<string, Float32Array>();
  return (model: ModelInfo, context: string) => {
    if (of?.[0] !== model || of[1] !== context) known.clear();
    of = [model, context];
    return {
      get: (pass: EncoderPass) => known.get(passKey(pass)),
      keep(pass: EncoderPass, rows: Float32Array) {
        known.set(passKey(pass), rows);
        for (const key of known.keys()) {
          if (known.size <= mostRows) break;
          known.delete(key);
        }
      },
    };
  };
}

/** Everything that one run of an analysis reads. */
interface Run {
  readonly page: Pick<Page, 'client' | 'get'>;
  readonly model: ModelInfo;
  readonly loras: readonly LoraUse[];
  readonly skip: number;
  readonly kept: ReturnType<ReturnType<typeof rowsKeeper>>;
  readonly outputs: ReadonlyMap<string, EncodedPass>;
  readonly signal: AbortSignal;
  /** Hears of each answer of the encoder. */
  onStep(): void;
}

/** Encodes passes, as few at a time as the page does, so that what is typed meanwhile waits for one call at most. */
async function* encodingPasses({ page, loras, signal, model }: Run, passes: readonly EncoderPass[], want: EncoderWant) {
  const most = mostPasses({ model });
  for (let from = 0; from < passes.length; from += most) {
    signal.throwIfAborted();
    const batch = passes.slice(from, from + most);
    const options = { loras, signal, alsoNeeded: editablePasses(page.get()) };
    const { outputs, stats } = await page.client.encode(batch, want, options);
    timed(model, stats);
    for (const [i, output] of outputs.entries()) yield { pass: batch[i], output };
  }
}

function encoderOf(run: Run): AnalysisEncoder {
  const { model, skip, kept, outputs, page, loras, signal } = run;
  const { config, finalLayerNorm } = model;
  const [weight, bias] = [finalLayerNorm.weight, finalLayerNorm.bias].map((values) => Float64Array.from(values));
  const hiddenStates = clipSkipHiddenStates(skip, config);
  const all = Array.from({ length: config.numHiddenLayers + 1 }, (_, i) => i);
  const known = (pass: EncoderPass) => {
    const output = outputs.get(passKey(pass))?.output;
    if (output && hiddenStates.every((index) => output.hiddenStates.has(index)))
      kept.keep(pass, clipSkip(output, skip, config, finalLayerNorm));
    return kept.get(pass);
  };
  return {
    config,
    async rows(passes) {
      const found = new Map(passes.map((pass) => [passKey(pass), known(pass)]));
      const missing = [...new Map(passes.map((pass) => [passKey(pass), pass])).values()].filter(
        (pass) => !found.get(passKey(pass)),
      );
      for await (const { pass, output } of encodingPasses(run, missing, { hiddenStates, attentions: false })) {
        const rows = clipSkip(output, skip, config, finalLayerNorm);
        kept.keep(pass, rows);
        found.set(passKey(pass), rows);
        run.onStep();
      }
      return passes.map((pass) => found.get(passKey(pass))!);
    },
    async states(passes) {
      const outputOf = (pass: EncoderPass) => {
        const output = outputs.get(passKey(pass))?.output;
        return output && all.every((index) => output.hiddenStates.has(index)) ? output : undefined;
      };
      const found = new Map(passes.map((pass) => [pass, outputOf(pass)]));
      const missing = [...found.keys()].filter((pass) => !found.get(pass));
      for await (const { pass, output } of encodingPasses(run, missing, { hiddenStates: all, attentions: false })) {
        found.set(pass, output);
        run.onStep();
      }
      return passes.map((pass) => all.map((index) => found.get(pass)!.hiddenStates.get(index)!));
    },
    finalNorm: (rows) => layerNorm(Float64Array.from(rows), weight, bias, config.layerNormEps),
    async layer(pass, layer) {
      const tensors = await page.client.inspect(pass, layer, { loras, signal });
      run.onStep();
      return tensors;
    },
    project: (layer, attended) => page.client.project(layer, attended, { loras, signal }),
    async resume(pass, layer, given) {
      const output = await page.client.resume(pass, layer, given, hiddenStates, { loras, signal });
      run.onStep();
      return clipSkip(output, skip, config, finalLayerNorm);
    },
  };
}

/** Works analyses off, one at a time. */
export function analysingActions({ client, get, set }: Pick<Page, 'client' | 'get' | 'set'>): AnalysingActions {
  let stopCurrent = () => {};
  const keeper = rowsKeeper();

  function put(own: AbortController, model: ModelInfo, key: string, task: AnalysisTask | null): void {
    if (own.signal.aborted && task) return;
    if (get().model !== model) return;
    const analysed = new Map(get().analysed);
    analysed.delete(key);
    if (task) analysed.set(key, task);
    for (const old of analysed.keys()) {
      if (analysed.size <= mostResults) break;
      analysed.delete(old);
    }
    set({ analysed });
  }

  function encoderFor(model: ModelInfo, signal: AbortSignal, onStep: () => void): AnalysisEncoder {
    const facts = get();
    return encoderOf({
      page: { client, get },
      model: mergedModelOf(facts) ?? model,
      loras: usedLoras(facts),
      skip: shownClipSkip(facts),
      kept: keeper(model, analysisContext(facts)),
      outputs: outputsOf(facts),
      signal,
      onStep,
    });
  }

  return {
    async askEncoder(ask, signal) {
      const { model } = get();
      if (!model) throw new Error('There is no model to ask.');
      return ask(encoderFor(model, signal, () => {}));
    },
    analyse({ key, run }) {
      const { model, analysed } = get();
      if (!model || analysed.get(key)?.phase === 'done') return () => {};
      stopCurrent();
      const own = new AbortController();
      const stop = () => {
        if (own.signal.aborted) return;
        own.abort();
        if (get().analysed.get(key)?.phase === 'running') put(own, model, key, null);
      };
      stopCurrent = stop;
      let done = 0;
      put(own, model, key, { phase: 'running', done });
      const encoder = encoderFor(model, own.signal, () => {
        done++;
        put(own, model, key, { phase: 'running', done });
      });
      run(encoder, own.signal).then(
        (result) => put(own, model, key, { phase: 'done', result }),
        (error: unknown) => put(own, model, key, { phase: 'failed', message: messageOf(error) }),
      );
      return stop;
    },
  };
}
