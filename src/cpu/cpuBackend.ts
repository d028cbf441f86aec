import { attentionMask } from '../clip/masks.ts';
import type { WeightSource } from '../clip/weights.ts';
import type { Backend } from '../engine/backend.ts';
import { minSlots } from '../engine/encoderState.ts';
import { type RowRange, type Schedule, schedule } from '../engine/schedule.ts';
import type { WeightSpec } from '../engine/weightReading.ts';
import { toFloat32 } from '../files/dtypes.ts';
import { CpuError } from './cpuError.ts';
import { mergeIntoShares } from './cpuLoras.ts';
import { pieceOf } from './division.ts';
import { layoutOf, segmentsOf } from './layout.ts';
import { computePass, readOutputs, readTensors, writeTensor } from './passes.ts';
import type { Shares } from './shares.ts';

/** Shares of one encoder, and what is known of their weights and places. */
interface Held {
  readonly source: WeightSource;
  readonly shares: Shares;
  readonly plan: Schedule;
  /** The weights as they were loaded. */
  readonly original: ReadonlyMap<string, WeightSpec>;
  /** The weights that the kernels read: the original ones, with the merged ones in the place of some. */
  bound: ReadonlyMap<string, WeightSpec>;
  merged: readonly string[];
  slots: number;
}

async function setSlots(held: Held, slots: number): Promise<void> {
  const undo = () => held.shares.call('setSlots', () => held.slots);
  if (!(await held.shares.tryCall('setSlots', slots, undo)))
    throw new CpuError(`There is not enough memory to encode ${slots} prompts with "${held.source.name}".`);
  held.slots = slots;
}

/** Bytes of these weights in all shares. */
function bytesOf({ shares, source: { config } }: Held, weights: Iterable<readonly [string, WeightSpec]>): number {
  let bytes = 0;
  for (const [name, spec] of weights)
    for (const share of shares.all) bytes += pieceOf(config, share, name, spec)?.bytes ?? 0;
  return bytes;
}

function activationBytes({ shares, source: { config }, plan, slots }: Held): number {
  return shares.all
    .map((share) => layoutOf(config, share, plan))
    .reduce((sum, { slotBytes, scratchBytes }) => sum + slots * slotBytes + scratchBytes, 0);
}

async function computeRange(
  held: Held,
  { slot, passes, first, end }: RowRange,
  signal?: AbortSignal,
): Promise<number[]> {
  const { shares, source, plan } = held;
  const segments = segmentsOf(plan);
  const times: number[] = [];
  for (let place = slot; place < slot + passes; place++)
    times.push(...(await computePass(shares, source.config, segments, { place, first, end }, signal)));
  return times;
}

async function merge(held: Held, loras: Parameters<Backend['merge']>[0]): Promise<void> {
  const { shares, source, original } = held;
  const readTensor = async (name: string) => toFloat32(await source.read(name), source.tensor(name).dtype);
  const merged = await mergeIntoShares(shares, source.config, original, loras, readTensor);
  if (!merged) throw new CpuError(`There is not enough memory to merge LoRAs into "${source.name}".`);
  held.merged = merged;
  held.bound = new Map([
    ...original,
    ...merged.map((name) => [name, { ...original.get(name)!, dtype: 'F32' as const }] as const),
  ]);
  await setSlots(held, minSlots);
}

const inspectWith =
  (held: Held): Backend['inspect'] =>
  async (plan, { pass, tokenRows, kept, given = new Map() }, names, signal) => {
    const { shares, source } = held;
    const { config } = source;
    const end = () => shares.call('endInspection', () => undefined as never);
    if (!(await shares.tryCall('beginInspection', plan, end)))
      throw new CpuError(`There is not enough memory to show a layer of "${source.name}".`);
    try {
      signal?.throwIfAborted();
      const place = 'inspection';
      const mask = attentionMask(pass);
      await shares.call('writeInputs', ({ index }) => ({
        place,
        mask,
        tokenRows: index === 0 ? tokenRows : undefined,
      }));
      if (kept) {
        const [rows] = shares.first.read({ place: kept.slot, names: [kept.tensor] });
        shares.first.read({ place, names: [kept.tensor] })[0].set(rows);
      }
      for (const [name, values] of given) await writeTensor(shares, config, plan, place, name, values);
      const rows = { place, first: 0, end: config.maxPositionEmbeddings } as const;
      await computePass(shares, config, segmentsOf(plan), rows, signal);
      return await readTensors(shares, config, plan, place, names);
    } finally {
      await end();
    }
  };

/** Reads a row of a weight of [N, K] from the share that has it, or from all of which each has some of its columns. */
async function readRow({ shares, source, bound }: Held, name: string, row: number): Promise<Float32Array> {
  const spec = bound.get(name)!;
  const size = spec.shape[0] / spec.from.length;
  const [part, inPart] = [Math.floor(row / size), row % size];
  const width = spec.shape[1] ?? 1;
  const values = new Float32Array(width);
  for (const [i, share] of shares.all.entries()) {
    const piece = pieceOf(source.config, share, name, spec);
    if (!piece || inPart < piece.rows[0] || inPart >= piece.rows[1]) continue;
    const at = { name, row: part * (piece.rows[1] - piece.rows[0]) + inPart - piece.rows[0] };
    const read = i === 0 ? shares.first.readRow(at) : await shares.others[i - 1].call('readRow', at);
    values.set(read, piece.columns[0]);
  }
  return values;
}

/** Makes a backend of shares that hold the weights; it owns them from now on. Rejects with CpuError, and ends them then. */
export async function createCpuBackend(
  source: WeightSource,
  specs: ReadonlyMap<string, WeightSpec>,
  shares: Shares,
): Promise<Backend> {
  const plan = schedule(source.config, 1);
  const held: Held = { source, shares, plan, original: specs, bound: specs, merged: [], slots: 0 };
  await setSlots(held, minSlots);
  const loaded = bytesOf(held, specs);
  return {
    weightBytes: loaded,
    get weights() {
      return held.bound;
    },
    get mergedBytes() {
      return bytesOf(
        held,
        held.merged.map((name) => [name, held.bound.get(name)!] as const),
      );
    },
    get activationBytes() {
      return activationBytes(held);
    },
    grow: (slots) => setSlots(held, slots),
    write(slot, pass, rows) {
      const mask = attentionMask(pass);
      shares.first.writeInputs({ place: slot, mask, tokenRows: rows });
      // An error in another thread is told by the next call that is awaited.
      for (const other of shares.others) other.call('writeInputs', { place: slot, mask });
    },
    async compute(ranges, want, slots, { signal } = {}) {
      for (const range of ranges) await computeRange(held, range, signal);
      return readOutputs(shares, source.config, want, slots);
    },
    merge: (loras) => merge(held, loras),
    async time(range) {
      const times = await computeRange(held, range);
      const steps = plan.steps.map(({ operation }, i) => ({
        kernel: operation === 'linear' ? 'matmul' : operation,
        milliseconds: times[i],
      }));
      return { steps, noTimes: null };
    },
    inspect: inspectWith(held),
    readRow: (weight, row) => readRow(held, weight, row),
    async compile(idle, signal) {
      await idle();
      signal?.throwIfAborted();
    },
    destroy: () => shares.end(),
  };
}
