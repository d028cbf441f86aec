import type { ClipTextConfig } from '../clip/config.ts';
import { operands, type Schedule } from '../engine/schedule.ts';
import { chunksOf, type Held, heldTensors, isPartial, isShared, type Share } from './division.ts';
import { matmulScratchBytes } from './kernels.ts';

const align = (bytes: number) => Math.ceil(bytes / 64) * 64;

/** Places of a schedule's tensors in a share: some in a block for each slot, the others in one scratch block. */
export interface Layout {
  /** Bytes from the beginning of a slot's block. */
  readonly inSlot: ReadonlyMap<string, number>;
  readonly slotBytes: number;
  /** Bytes from the beginning of the scratch block. */
  readonly inScratch: ReadonlyMap<string, number>;
  readonly scratchBytes: number;
  readonly held: ReadonlyMap<string, Held>;
  /** Matmul's own scratch, in the scratch block. */
  readonly matmulScratch: number;
}

/** Lists the tensors that more than one step writes: each layer writes over them, so no row of them is kept. */
function overwritten({ steps }: Schedule): ReadonlySet<string> {
  const written = steps.flatMap(({ operation, tensors }) => tensors.slice(-operands[operation].writes.length));
  return new Set(written.filter((name, i) => written.indexOf(name) < i));
}

/**
 * Lays out a share's tensors. Shares other than 0 have no rows of their own in tensors that are whole: one place receives the
 * rows that a step reads, and takes the partial sums of the step that writes.
 */
export function layoutOf(config: ClipTextConfig, share: Share, plan: Schedule): Layout {
  const held = heldTensors(plan);
  const scratchNames = overwritten(plan);
  const [inSlot, inScratch] = [new Map<string, number>(), new Map<string, number>()];
  let [slotBytes, scratchBytes] = [0, 0];
  const exchanged = scratchBytes;
  if (share.index > 0) scratchBytes += align(config.maxPositionEmbeddings * config.hiddenSize * 4);
  for (const [name, spec] of plan.tensors) {
    if (spec.role === 'weight' || spec.kind === 'range') continue;
    const how = held.get(name) ?? 'whole';
    if (share.index > 0 && how === 'whole' && spec.kind !== 'mask') {
      inScratch.set(name, exchanged);
      continue;
    }
    const { chunks, width } = chunksOf(config, share, how, spec);
    const bytes = align(chunks * width * (spec.kind === 'mask' ? 1 : 4));
    if (scratchNames.has(name)) {
      inScratch.set(name, scratchBytes);
      scratchBytes += bytes;
    } else {
      inSlot.set(name, slotBytes);
      slotBytes += bytes;
    }
  }
  const matmulScratch = scratchBytes;
  scratchBytes += align(matmulScratchBytes(config.maxPositionEmbeddings, widestInput(config, share, plan, held)));
  return { inSlot, slotBytes, inScratch, scratchBytes, held, matmulScratch };
}

/** Columns of the widest matrix that a share multiplies by a weight. */
function widestInput(config: ClipTextConfig, share: Share, plan: Schedule, held: ReadonlyMap<string, Held>): number {
  const widths = plan.steps.map(({ operation, tensors: [x] }) =>
    operation === 'linear' ? chunksOf(config, share, held.get(x) ?? 'whole', plan.tensors.get(x)!).width : 0,
  );
  return Math.max(0, ...widths);
}

/** Steps that the shares compute without hearing of each other. */
export interface Segment {
  /** Indices of the steps in the schedule, first and after the last. */
  readonly from: number;
  readonly to: number;
  /** Whether all shares compute it, or share 0 alone. */
  readonly shared: boolean;
  /** The tensor whose rows the other shares receive; undefined where they have all that they read. */
  readonly input: string | undefined;
  /** The tensor that is the sum of what all shares have computed; undefined where share 0 has all of it. */
  readonly output: string | undefined;
}

/** Cuts a schedule's steps into segments: each ends with a partial result, or with a step that not all shares compute. */
export function segmentsOf(plan: Schedule): Segment[] {
  const { steps } = plan;
  const held = heldTensors(plan);
  const segments: Segment[] = [];
  let from = 0;
  for (const [i, step] of steps.entries()) {
    const shared = isShared(step);
    const last = i + 1 === steps.length || isShared(steps[i + 1]) !== shared;
    if (!last && !isPartial(step)) continue;
    const own = steps.slice(from, i + 1);
    const input = own.map(({ tensors: [x] }) => x).find((x) => (held.get(x) ?? 'whole') === 'whole');
    segments.push({
      ...{ from, to: i + 1, shared },
      input: shared ? input : undefined,
      output: isPartial(step) ? step.tensors.at(-1) : undefined,
    });
    from = i + 1;
  }
  return segments;
}
