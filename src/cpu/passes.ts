import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderOutput, EncoderWant } from '../clip/encoderPass.ts';
import type { ReadySlot } from '../engine/backend.ts';
import { attentionsName, hiddenName, type Schedule } from '../engine/schedule.ts';
import { chunksOf, type Held, heldTensors } from './division.ts';
import type { Segment } from './layout.ts';
import type { SegmentResult } from './shareCalls.ts';
import type { Place } from './shareSteps.ts';
import type { Shares } from './shares.ts';

/** Lets messages and timers have their turn. */
export interface Turns {
  next(): Promise<void>;
  end(): void;
}

/** A message to itself waits for less than a timer, which browsers delay. */
export function createTurns(): Turns {
  const { port1, port2 } = new MessageChannel();
  return {
    next: () =>
      new Promise((resolve) => {
        port1.onmessage = () => resolve();
        port2.postMessage(null);
      }),
    end: () => port1.close(),
  };
}

/** Rows of one pass to compute. */
export interface PassRows {
  readonly place: Place;
  readonly first: number;
  readonly end: number;
}

/**
 * Computes rows of one pass in all shares, segment by segment. Returns the milliseconds of each step, of the slowest share.
 * The signal ends it between two segments with its reason.
 */
export async function computePass(
  { first: own, others }: Shares,
  { hiddenSize: d }: ClipTextConfig,
  segments: readonly Segment[],
  { place, first, end }: PassRows,
  signal?: AbortSignal,
): Promise<number[]> {
  const times: number[] = [];
  const turns = signal && others.length === 0 ? createTurns() : undefined;
  /** Buffers that have come back from the other shares: new memory takes longer than a copy. */
  const spare = others.map(() => new Float32Array((end - first) * d));
  const rowsOf = (name: string) => own.read({ place, names: [name] })[0].subarray(first * d, end * d);
  try {
    for (const [segment, { shared, input }] of segments.entries()) {
      await turns?.next();
      signal?.throwIfAborted();
      const run = { place, segment, first, end };
      const asked = (shared ? others : []).map((other, i) => {
        if (input === undefined) return other.call('run', { ...run, input });
        spare[i].set(rowsOf(input));
        return other.call('run', { ...run, input: spare[i] }, [spare[i].buffer]);
      });
      const result = own.run({ ...run, input: undefined });
      for (const other of others) other.hearAtOnce();
      const answers = await Promise.all(asked);
      for (const [i, { output: summand }] of answers.entries())
        if (summand) {
          own.add({ ...run, summand });
          spare[i] = summand;
        }
      const results: readonly SegmentResult[] = [result, ...answers];
      times.push(...result.milliseconds.map((_, i) => Math.max(...results.map((of) => of.milliseconds[i]))));
    }
  } finally {
    turns?.end();
  }
  return times;
}

/** Puts the shares' parts of a tensor together: in each chunk they lie side by side. */
function joined(parts: readonly Float32Array[], widths: readonly number[], chunks: number): Float32Array<ArrayBuffer> {
  const width = widths.reduce((a, b) => a + b, 0);
  const whole = new Float32Array(chunks * width);
  let at = 0;
  for (const [i, part] of parts.entries()) {
    for (let chunk = 0; chunk < chunks; chunk++)
      whole.set(part.subarray(chunk * widths[i], (chunk + 1) * widths[i]), chunk * width + at);
    at += widths[i];
  }
  return whole;
}

/** Reads tensors whole. */
export async function readTensors(
  shares: Shares,
  config: ClipTextConfig,
  plan: Schedule,
  place: Place,
  names: readonly string[],
): Promise<Map<string, Float32Array>> {
  const held = heldTensors(plan);
  const howOf = (name: string): Held => held.get(name) ?? 'whole';
  const isDivided = (name: string) => howOf(name) !== 'whole' && howOf(name) !== 'own';
  const divided = names.filter(isDivided);
  const parts = divided.length > 0 ? await shares.call('read', () => ({ place, names: divided })) : [];
  const result = new Map<string, Float32Array>();
  const whole = names.filter((name) => !isDivided(name));
  for (const [i, values] of shares.first.read({ place, names: whole }).entries()) result.set(whole[i], values.slice());
  for (const [i, name] of divided.entries()) {
    const sizes = shares.all.map((share) => chunksOf(config, share, howOf(name), plan.tensors.get(name)!));
    const widths = sizes.map(({ width }) => width);
    result.set(
      name,
      joined(
        parts.map((of) => of[i]),
        widths,
        sizes[0].chunks,
      ),
    );
  }
  return result;
}

/** Writes a tensor of one pass, whole or divided among the shares as the steps read it. */
export async function writeTensor(
  shares: Shares,
  config: ClipTextConfig,
  plan: Schedule,
  place: Place,
  name: string,
  values: Float32Array<ArrayBuffer>,
): Promise<void> {
  const how = heldTensors(plan).get(name) ?? 'whole';
  if (how === 'whole') {
    shares.first.write({ place, name, values });
    return;
  }
  const sizes = shares.all.map((share) => chunksOf(config, share, how, plan.tensors.get(name)!));
  const width = sizes.reduce((sum, of) => sum + of.width, 0);
  let at = 0;
  const parts = sizes.map(({ chunks, width: own }) => {
    const part = new Float32Array(chunks * own);
    for (let chunk = 0; chunk < chunks; chunk++)
      part.set(values.subarray(chunk * width + at, chunk * width + at + own), chunk * own);
    at += own;
    return part;
  });
  await shares.call('write', ({ index }) => ({ place, name, values: parts[index] }));
}

/** Reads what is wanted of slots; rows that are not ready are zeros. */
export async function readOutputs(
  shares: Shares,
  config: ClipTextConfig,
  want: EncoderWant,
  slots: readonly ReadySlot[],
): Promise<EncoderOutput[]> {
  const { maxPositionEmbeddings: L, hiddenSize: d, numHiddenLayers: N, numAttentionHeads: h } = config;
  const outputs: EncoderOutput[] = [];
  for (const { slot, ready } of slots) {
    const names = want.attentions ? Array.from({ length: N }, (_, layer) => attentionsName(layer)) : [];
    const parts = names.length > 0 ? await shares.call('read', () => ({ place: slot, names })) : [];
    const attentions = want.attentions ? new Float32Array(N * h * L * L) : undefined;
    for (const [i, { heads }] of shares.all.entries())
      for (let layer = 0; attentions && layer < N; layer++)
        for (let head = heads[0]; head < heads[1]; head++) {
          const from = (head - heads[0]) * L * L;
          // Rows that are not ready still hold the probabilities of an earlier pass.
          attentions.set(parts[i][layer].subarray(from, from + ready * L), (layer * h + head) * L * L);
        }
    const [lastHiddenState, ...states] = shares.first
      .read({ place: slot, names: ['lastHiddenState', ...want.hiddenStates.map(hiddenName)] })
      .map((rows) => {
        const state = new Float32Array(L * d);
        state.set(rows.subarray(0, ready * d));
        return state;
      });
    const hiddenStates = new Map(want.hiddenStates.map((index, n) => [index, states[n]]));
    outputs.push({ lastHiddenState, hiddenStates, attentions });
  }
  return outputs;
}
