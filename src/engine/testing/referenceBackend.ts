import type { EncoderOutput, EncoderPass } from '../../clip/encoderPass.ts';
import { attentionMask } from '../../clip/masks.ts';
import { add, attention, embeddings, layerNorm, linear, quickGelu } from '../../clip/reference.ts';
import type { WeightSource } from '../../clip/weights.ts';
import { toFloat32 } from '../../files/dtypes.ts';
import { elementCount } from '../../files/tensorFile.ts';
import type { Backend } from '../backend.ts';
import { createEncoder, type Encoder } from '../encoder.ts';
import { minSlots } from '../encoderState.ts';
import { attentionsName, hiddenName, type Schedule, type Step, schedule } from '../schedule.ts';
import { changedParts, changesOf } from '../weightChanges.ts';
import { readWeights, type WeightSpec, weightSpecs } from '../weightReading.ts';

/** Elements of tensors by their names in the schedule. */
type Values = Map<string, Float64Array>;

/** Takes Q (0), K (1) or V (2) [L, d] out of rows [L, 3d]. */
const partOf = (qkv: Float64Array, d: number, part: number) =>
  Float64Array.from({ length: qkv.length / 3 }, (_, i) => qkv[(3 * Math.floor(i / d) + part) * d + (i % d)]);

/** Runs a step by the loops of clip/reference.ts, for all rows of a pass. */
function runStep({ config }: WeightSource, { operation, epilogue, tensors }: Step, values: Values): void {
  const { maxPositionEmbeddings: L, hiddenSize: d, numAttentionHeads: h, headDim, layerNormEps } = config;
  const inputs = tensors.map((name) => values.get(name)!);
  const output = tensors[tensors.length - 1];
  switch (operation) {
    case 'embeddings':
      values.set(output, embeddings(inputs[0], inputs[1], L, d));
      return;
    case 'layer_norm':
      values.set(output, layerNorm(inputs[0], inputs[1], inputs[2], layerNormEps));
      return;
    case 'linear': {
      const [x, weight, bias, residual] = inputs;
      const product = linear(x, weight, bias, x.length / L, bias.length);
      const finished = epilogue === 'quickGelu' ? quickGelu(product) : product;
      values.set(output, epilogue === 'residual' ? add(residual, product) : finished);
      return;
    }
    case 'attention': {
      const [q, k, v] = [0, 1, 2].map((part) => partOf(inputs[0], d, part));
      const attended = attention(q, k, v, Uint8Array.from(inputs[1]), L, h, headDim);
      values.set(tensors[3], attended.probabilities).set(output, attended.output);
      return;
    }
    default:
      operation satisfies never;
  }
}

/** Weights and tensors of a reference backend. */
interface Held {
  readonly source: WeightSource;
  readonly plan: Schedule;
  readonly specs: ReadonlyMap<string, WeightSpec>;
  readonly weights: ReadonlyMap<string, Float64Array>;
  merged: ReadonlyMap<string, Float64Array>;
  slots: Values[];
}

/** Runs a schedule from a pass's inputs, or from a tensor that is there already. */
function run({ source, weights, merged }: Held, plan: Schedule, values: Values): void {
  const all: Values = new Map([...weights, ...merged, ...values]);
  for (const step of plan.steps) runStep(source, step, all);
  for (const [name, { role }] of plan.tensors) if (role !== 'weight' && all.has(name)) values.set(name, all.get(name)!);
}

const inputsOf = (pass: EncoderPass, tokenRows: Float32Array): Values =>
  new Map([
    ['tokenRows', Float64Array.from(tokenRows)],
    ['mask', Float64Array.from(attentionMask(pass))],
  ]);

/** Reads what is wanted of a slot's tensors; rows that are not ready are zeros. */
function outputOf({ source, slots }: Held, want: Parameters<Backend['compute']>[1], slot: number, ready: number) {
  const { maxPositionEmbeddings: L, hiddenSize: d, numHiddenLayers: N } = source.config;
  const rowsOf = (name: string) => Float32Array.from(slots[slot].get(name)!).fill(0, ready * d);
  const layers = Array.from({ length: N }, (_, layer) => slots[slot].get(attentionsName(layer))!);
  const attentions = Float32Array.from(layers.flatMap((layer) => [...layer])).map((p, i) =>
    Math.floor(i / L) % L < ready ? p : 0,
  );
  return {
    lastHiddenState: rowsOf('lastHiddenState'),
    hiddenStates: new Map(want.hiddenStates.map((i) => [i, rowsOf(hiddenName(i))])),
    attentions: want.attentions ? attentions : undefined,
  } satisfies EncoderOutput;
}

const makeSlots = (count: number): Values[] => Array.from({ length: count }, () => new Map());

/** Runs the schedule in float64, whole passes whatever rows are asked for. */
function referenceBackend(held: Held): Backend {
  const { source, plan, specs } = held;
  const bytes = (values: ReadonlyMap<string, Float64Array>) =>
    [...values.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  const slotBytes = [...plan.tensors.values()]
    .filter(({ role }) => role !== 'weight')
    .reduce((sum, { shape }) => sum + elementCount(shape) * 8, 0);
  return {
    weights: specs,
    weightBytes: bytes(held.weights),
    get mergedBytes() {
      return bytes(held.merged) / 2;
    },
    get activationBytes() {
      return held.slots.length * slotBytes;
    },
    async grow(slots) {
      held.slots.push(...makeSlots(slots - held.slots.length));
    },
    write(slot, pass, tokenRows) {
      held.slots[slot] = inputsOf(pass, tokenRows);
    },
    async compute(ranges, want, slots, { signal } = {}) {
      for (const { slot, passes } of ranges)
        for (let at = slot; at < slot + passes; at++) {
          signal?.throwIfAborted();
          run(held, plan, held.slots[at]);
        }
      return slots.map(({ slot, ready }) => outputOf(held, want, slot, ready));
    },
    async merge(loras) {
      const read = async (name: string) => toFloat32(await source.read(name), source.tensor(name).dtype);
      const merged = new Map<string, Float64Array>();
      for (const [name, changes] of changesOf(specs, loras))
        merged.set(name, Float64Array.from(await changedParts(specs.get(name)!, changes, read)));
      Object.assign(held, { merged, slots: makeSlots(minSlots) });
    },
    async time({ slot }) {
      run(held, plan, held.slots[slot]);
      const steps = plan.steps.map(({ operation }) => ({ kernel: operation, milliseconds: null }));
      return { steps, noTimes: 'The reference is not timed.' };
    },
    async inspect(inspected, { pass, tokenRows, kept, given }, names, signal) {
      signal?.throwIfAborted();
      const values = inputsOf(pass, tokenRows);
      for (const [name, rows] of given ?? []) values.set(name, Float64Array.from(rows));
      if (kept) values.set(kept.tensor, held.slots[kept.slot].get(kept.tensor)!);
      run(held, inspected, values);
      const position = held.weights.get('positionEmbedding')!;
      return new Map(names.map((name) => [name, Float32Array.from(values.get(name) ?? position)]));
    },
    async readRow(name, row) {
      const width = specs.get(name)!.shape[1] ?? 1;
      const values = held.merged.get(name) ?? held.weights.get(name)!;
      return Float32Array.from(values.subarray(row * width, (row + 1) * width));
    },
    async compile() {},
    destroy() {},
  };
}

/** Makes an encoder of float64 loops, for tests of what is right: slow, and as exact as clip/reference.ts. */
export async function createReferenceEncoder(source: WeightSource): Promise<Encoder> {
  const plan = schedule(source.config, 1);
  const specs = weightSpecs(source, plan);
  const weights = new Map<string, Float64Array>();
  const place = (name: string, { shape, dtype }: WeightSpec) => {
    const values = new Float64Array(elementCount(shape));
    weights.set(name, values);
    return (part: number, data: Uint8Array<ArrayBuffer>) => {
      const read = toFloat32(data, dtype);
      values.set(read, part * read.length);
      return data;
    };
  };
  const read = await readWeights(source, specs, place, () => {});
  return createEncoder(
    referenceBackend({ source, plan, specs, weights, merged: new Map(), slots: makeSlots(minSlots) }),
    source,
    read,
  );
}
