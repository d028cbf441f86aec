import type { Step } from '../engine/schedule.ts';
import { chunksOf, isPartial } from './division.ts';
import type { HeldWeight, PlacedPlan, ShareState } from './shareState.ts';

/** A slot, or the place beside them in which a layer is inspected. */
export type Place = number | 'inspection';

interface Places {
  readonly placed: PlacedPlan;
  readonly matmulScratch: number;
  /** Returns where a tensor that is no weight begins. */
  at(name: string): number;
}

export function placesOf({ encode, scratch, slots, inspection }: ShareState, place: Place): Places {
  const placed = place === 'inspection' ? inspection! : encode;
  const block = place === 'inspection' ? inspection!.block : slots[place];
  const { inSlot, inScratch, slotBytes, matmulScratch } = placed.layout;
  const scratchBlock = place === 'inspection' ? block + slotBytes : scratch;
  return {
    placed,
    matmulScratch: scratchBlock + matmulScratch,
    at(name) {
      const kept = inSlot.get(name);
      return kept === undefined ? scratchBlock + inScratch.get(name)! : block + kept;
    },
  };
}

/** The weight that the kernels read: with LoRAs merged into it where there are. */
const weightOf = ({ weights, merged }: ShareState, name: string): HeldWeight => merged.get(name) ?? weights.get(name)!;

/** Runs a step for the rows `first` to `end` − 1 of one pass. */
function runStep(state: ShareState, { at, matmulScratch }: Places, step: Step, first: number, end: number): void {
  const { config, share, kernels, tileRows } = state;
  const { maxPositionEmbeddings: L, hiddenSize: d, headDim, layerNormEps: epsilon } = config;
  const rows = end - first;
  const weight = (name: string) => weightOf(state, name);
  const rowsAt = (name: string, width: number) => at(name) + first * width * 4;
  switch (step.operation) {
    case 'embeddings': {
      const [tokenRows, positions, hidden] = step.tensors;
      const from = weight(positions).at + first * d * 4;
      kernels.embeddings(rowsAt(tokenRows, d), from, rowsAt(hidden, d), rows * d);
      return;
    }
    case 'layer_norm': {
      const [x, gamma, beta, y] = step.tensors;
      const vectors = { weight: weight(gamma).at, bias: weight(beta).at };
      kernels.layerNorm({ x: rowsAt(x, d), ...vectors, y: rowsAt(y, d), rows, d, epsilon });
      return;
    }
    case 'linear': {
      const [x, w, bias, residual, y] = step.tensors;
      const { at: panels, dtype, piece } = weight(w);
      const { N, K } = piece;
      // Share 0 adds bias and residual once for all.
      const isRest = isPartial(step) && share.index > 0;
      kernels.matmul({
        epilogue: isRest ? 'none' : step.epilogue!,
        ...{ x: rowsAt(x, K), xStride: K, y: rowsAt(y, N), yStride: N },
        weight: { at: panels, dtype },
        bias: isRest ? undefined : weight(bias).at,
        residual: step.epilogue === 'residual' && !isRest ? rowsAt(residual, N) : undefined,
        ...{ rows, K, N, tileRows, scratch: matmulScratch },
      });
      return;
    }
    case 'attention': {
      const [qkv, mask, , probabilities, attended] = step.tensors;
      const places = { qkv: at(qkv), mask: at(mask), probabilities: at(probabilities), attended: at(attended) };
      kernels.attention({ ...places, L, h: share.heads[1] - share.heads[0], headDim, first, end });
      return;
    }
    default:
      step.operation satisfies never;
  }
}

/** Rows [end − first, d] of a tensor that is whole; a view that ends when the memory grows. */
export function wholeRows(state: ShareState, place: Place, name: string, first: number, end: number) {
  const { hiddenSize: d } = state.config;
  // Shares other than 0 receive any rows in the same place.
  return state.heap.floats(placesOf(state, place).at(name) + first * d * 4, (end - first) * d);
}

/** Runs a segment's steps for some rows of one pass; returns the milliseconds of each. */
export function runSegment(state: ShareState, place: Place, segment: number, first: number, end: number): number[] {
  const places = placesOf(state, place);
  const { plan, segments } = places.placed;
  const { from, to } = segments[segment];
  const times: number[] = [];
  let before = performance.now();
  for (let i = from; i < to; i++) {
    runStep(state, places, plan.steps[i], first, end);
    const now = performance.now();
    times.push(now - before);
    before = now;
  }
  return times;
}

/** A share's part of a tensor, or of a weight that is no matrix, whole; a view that ends when the memory grows. */
export function tensorPart(state: ShareState, place: Place, name: string): Float32Array<ArrayBuffer> {
  const { placed, at } = placesOf(state, place);
  const spec = placed.plan.tensors.get(name)!;
  if (spec.role === 'weight') {
    const { at: stored, piece } = weightOf(state, name);
    return state.heap.floats(stored, piece.N * piece.K);
  }
  const { chunks, width } = chunksOf(state.config, state.share, placed.layout.held.get(name) ?? 'whole', spec);
  return state.heap.floats(at(name), chunks * width);
}
