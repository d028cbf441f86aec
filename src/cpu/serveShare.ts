import type { FromShare, ToShare } from './remoteShare.ts';
import { createShare, type SegmentResult, type SegmentRun, type ShareCalls, type WeightPart } from './shareCalls.ts';

/** Copies of the memory's views in a result, which other threads can have. `input` is no longer needed, and may be one of them. */
function detached(result: unknown, input?: Float32Array<ArrayBuffer>): { result: unknown; transfer: ArrayBuffer[] } {
  if (Array.isArray(result)) {
    const copies = result.map((view: Float32Array<ArrayBuffer>) => view.slice());
    return { result: copies, transfer: copies.map(({ buffer }) => buffer) };
  }
  const { output, milliseconds } = result as SegmentResult;
  if (!output) return { result, transfer: [] };
  const rows = input ?? new Float32Array(output.length);
  rows.set(output);
  return { result: { output: rows, milliseconds }, transfer: [rows.buffer] };
}

/** Answers the calls of the thread that computes share 0, one at a time; an error is answered in words. */
export function serveShare(post: (message: FromShare, transfer: ArrayBuffer[]) => void): (message: ToShare) => void {
  let share: ShareCalls | null = null;
  const answer = async ({ id, call, argument }: ToShare) => {
    try {
      if (call === 'create') {
        share = await createShare(argument as never);
        post({ id, result: share !== null }, []);
        return;
      }
      if (!share) throw new Error('There is no share yet.');
      const made: unknown = share[call](argument as never);
      if (call === 'run' || call === 'read') {
        const { result, transfer } = detached(made, (argument as SegmentRun).input);
        post({ id, result }, transfer);
      } else post({ id, result: made }, call === 'writeWeight' ? [(argument as WeightPart).data.buffer] : []);
    } catch (error) {
      post({ id, error: error instanceof Error ? error.message : String(error) }, []);
    }
  };
  let last: Promise<void> | undefined;
  return (message) => {
    // Answers at once where nothing is under way: a promise in between would cost each exchange a turn.
    if (message.call === 'create') last = answer(message).finally(() => (last = undefined));
    else if (last) last = last.then(() => answer(message));
    else answer(message);
  };
}
