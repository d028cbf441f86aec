import type { EncoderClient } from '../worker/client.ts';
import type { FileRequest, LoadProgress } from '../worker/messages.ts';
import type { Facts, Task } from './facts.ts';
import { messageOf } from './notices.ts';

export interface ExaminationActions {
  /** Looks a checkpoint over, in place of the one before. */
  examine(request: FileRequest): Promise<void>;
  /** Compares the checkpoint looked over with another one. */
  compareEncoders(other: FileRequest): Promise<void>;
  /** Stops what is under way. */
  cancelExamination(): void;
  closeExamination(): void;
}

/** Looks checkpoints over as files, one thing at a time. */
export function examinationActions({
  client,
  get,
  set,
}: {
  readonly client: Pick<EncoderClient, 'examine' | 'drift'>;
  get(): Pick<Facts, 'examined'>;
  set(facts: Pick<Facts, 'examined'>): void;
}): ExaminationActions {
  let abort = new AbortController();

  /** Ends without another `put` where something else took its place. */
  async function run<T>(
    start: (onProgress: (progress: LoadProgress) => void, signal: AbortSignal) => Promise<T>,
    put: (task: Task<T> | null) => void,
  ) {
    abort.abort();
    const own = new AbortController();
    abort = own;
    const putOwn = (task: Task<T> | null) => abort === own && put(task);
    put({ phase: 'running', progress: null });
    try {
      const result = await start((progress) => putOwn({ phase: 'running', progress }), own.signal);
      putOwn({ phase: 'done', result });
    } catch (error) {
      putOwn(own.signal.aborted ? null : { phase: 'failed', message: messageOf(error) });
    }
  }

  return {
    async examine(request) {
      await run(
        (onProgress, signal) => client.examine(request, onProgress, signal),
        (task) => set({ examined: task && { request, task, other: null } }),
      );
    },
    async compareEncoders(other) {
      const { examined } = get();
      if (examined?.task.phase !== 'done') return;
      await run(
        (onProgress, signal) => client.drift(examined.request, other, onProgress, signal),
        (task) => set({ examined: { ...examined, other: task && { request: other, task } } }),
      );
    },
    cancelExamination: () => abort.abort(),
    closeExamination() {
      abort.abort();
      abort = new AbortController();
      set({ examined: null });
    },
  };
}
