import { keptSource } from '../models/library/modelSources.ts';
import type { EncoderClient } from '../worker/client.ts';
import type { ModelRequest } from '../worker/messages.ts';
import type { Keeping } from './facts.ts';
import { listModels } from './loading.ts';
import { requestFor } from './modelChoices.ts';
import type { Page } from './page.ts';

export interface KeepingActions {
  /**
   * Copies the encoder of the file in use into the browser, where the next visit finds it; the model in use stays, now as
   * the stored one. Called in answer to a click: the browser is asked to keep what is stored.
   */
  keepFile(): Promise<void>;
  /** Gives the copying up, or dismisses that it failed. */
  cancelKeep(): void;
}

/** Copies an opened file's encoder into the browser. */
export function keepingActions(page: Page): KeepingActions {
  const { client, persist, get, set } = page;
  let running: AbortController | null = null;

  async function keep(client: EncoderClient, request: ModelRequest & { kind: 'file' }, signal: AbortSignal) {
    const { file } = request;
    const { model, weightsHash } = get();
    const source = keptSource(file, weightsHash ?? undefined, model?.hasProjection);
    const keeping: Keeping = { file, source, progress: null, failure: null };
    set({ keeping });
    try {
      const kept = await client.keep(file, source, (progress) => set({ keeping: { ...keeping, progress } }), signal);
      await listModels(page);
      set({ keeping: null });
      // Another may have been chosen meanwhile.
      if (get().modelRequest === request)
        set({ modelRequest: requestFor(kept), file: null, storedModel: { model: kept.id, name: kept.name } });
    } catch (error) {
      const { message, fault } = error as { message: string; fault?: string };
      await listModels(page);
      set({ keeping: signal.aborted ? null : { ...keeping, failure: { message, fault } } });
    }
  }

  return {
    async keepFile() {
      const { modelRequest, weightsHash } = get();
      if (running || modelRequest?.kind !== 'file' || weightsHash === null) return;
      persist().catch(() => {});
      running = new AbortController();
      await keep(client, modelRequest, running.signal);
      running = null;
    },
    cancelKeep() {
      if (running) running.abort();
      else set({ keeping: null });
    },
  };
}
