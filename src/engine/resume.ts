/** Encodes that go on from the middle with other numbers than the encoder's own, for looking at what one part of it does. */
import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderOutput, EncoderPass } from '../clip/encoderPass.ts';
import type { ResumedRows } from '../clip/layerTensors.ts';
import { type EncoderState, tokenRowsOf } from './encoderState.ts';
import {
  afterHeads,
  beginSchedule,
  encoderLayer,
  finalLayerNorm,
  hiddenName,
  linear,
  rowsOf,
  type Schedule,
} from './schedule.ts';

/** The steps from a layer's input, or from what its heads give, to the end. Layer N is the final LayerNorm alone. */
function resumedSchedule(config: ClipTextConfig, layer: number, fromHeads: boolean): Schedule {
  const { hiddenSize: d, numHiddenLayers: N } = config;
  const draft = beginSchedule(config, 1);
  rowsOf(draft, hiddenName(layer), d);
  if (fromHeads) {
    rowsOf(draft, 'attended', d);
    afterHeads(draft, layer);
  }
  for (let next = fromHeads ? layer + 1 : layer; next < N; next++) encoderLayer(draft, next);
  finalLayerNorm(draft);
  return draft;
}

const writable = (rows: Float32Array) => rows as Float32Array<ArrayBuffer>;

/**
 * Goes on from the numbers that are given, beside the rows kept for encodes. Gives the output, and those of `states` that there are:
 * the one that is given, and those after it. Throws RangeError for a layer that there is not, and for rows of another size; rejects
 * with the engine's error, or with the signal's reason.
 */
export async function resumePass(
  state: EncoderState,
  pass: EncoderPass,
  layer: number,
  { hidden, attended }: ResumedRows,
  states: readonly number[],
  signal?: AbortSignal,
): Promise<EncoderOutput> {
  const { backend, config } = state;
  const { numHiddenLayers: N, maxPositionEmbeddings: L, hiddenSize: d } = config;
  if (!Number.isInteger(layer) || layer < 0 || layer > N || (attended && layer === N))
    throw new RangeError(`An encode cannot go on from layer ${layer} of ${N}, counted from 0.`);
  for (const rows of [hidden, attended])
    if (rows && rows.length !== L * d)
      throw new RangeError(`An encode goes on from ${L} rows of ${d} numbers, not from ${rows.length} numbers.`);
  const plan = resumedSchedule(config, layer, attended !== undefined);
  const given = new Map([[hiddenName(layer), writable(hidden)]]);
  if (attended) given.set('attended', writable(attended));
  const after = states.filter((index) => index > layer);
  const names = ['lastHiddenState', ...after.map(hiddenName)];
  const read = await backend.inspect(plan, { pass, tokenRows: tokenRowsOf(state, pass), given }, names, signal);
  return {
    lastHiddenState: read.get('lastHiddenState')!,
    hiddenStates: new Map([
      ...(states.includes(layer) ? [[layer, hidden] as const] : []),
      ...after.map((index) => [index, read.get(hiddenName(index))!] as const),
    ]),
  };
}

/** Multiplies rows [L, d] by a layer's W_O, without its bias: by each of them the output of the heads that are side by side in it. */
export async function projectHeads(
  state: EncoderState,
  layer: number,
  attended: Float32Array,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const { backend, config } = state;
  const { numHiddenLayers: N, maxPositionEmbeddings: L, hiddenSize: d } = config;
  if (!Number.isInteger(layer) || layer < 0 || layer >= N)
    throw new RangeError(`There is no layer ${layer}; expected 0 to ${N - 1}.`);
  if (attended.length !== L * d)
    throw new RangeError(`W_O multiplies ${L} rows of ${d} numbers, not ${attended.length} numbers.`);
  const draft = beginSchedule(config, 1);
  rowsOf(draft, 'attended', d);
  linear(draft, layer, 'self_attn.out_proj', 'attended', 'out_proj', d, 'bias');
  const pass: EncoderPass = { inputIds: new Uint32Array(L), causal: true, keyMask: new Uint8Array(L).fill(1) };
  const run = async (rows: Float32Array<ArrayBuffer>) => {
    const input = { pass, tokenRows: new Float32Array(0), given: new Map([['attended', rows]]) };
    return (await backend.inspect(draft, input, ['out_proj'], signal)).get('out_proj')!;
  };
  const [products, bias] = [await run(writable(attended)), await run(new Float32Array(L * d))];
  return products.map((value, i) => value - bias[i]);
}
