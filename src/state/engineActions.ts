import type { EngineChoice } from '../engine/engineChoice.ts';
import type { Facts } from './facts.ts';
import type { LoadAnew } from './loading.ts';
import type { Page } from './page.ts';

export interface EngineActions {
  /**
   * Has the model loaded on another engine, or with another number of threads. Where that fails, the choice before comes back
   * with the model that is still in use.
   */
  setEngine(change: Partial<EngineChoice>): Promise<void>;
  /** Looks for the GPU that went away; where it is not found, the CPU goes on. */
  retryGpu(): Promise<void>;
}

/** Whether the model in use stays where it is after a change of the choice of the engine from `before`. */
function staysInUse({ model, lost, loading, engineChoice: { engine, threads } }: Facts, before: EngineChoice): boolean {
  if (!model || lost || loading) return false;
  if (model.engine.engine === 'webgpu')
    return engine === 'webgpu' || (engine === 'automatic' && !model.engine.software);
  return threads === before.threads && (engine === 'cpu' || engine === before.engine);
}

/** Chooses the engine that runs the encoder. */
export function engineActions({ get, set }: Pick<Page, 'get' | 'set'>, loadAnew: LoadAnew): EngineActions {
  return {
    async setEngine(change) {
      const before = get().engineChoice;
      const engineChoice = { ...before, ...change };
      set({ engineChoice });
      if (staysInUse(get(), before)) return;
      const isLoaded = await loadAnew(false);
      const { model, lost, engineChoice: now } = get();
      if (!isLoaded && model && !lost && now === engineChoice) set({ engineChoice: before });
    },
    async retryGpu() {
      const { engineChoice } = get();
      if (engineChoice.engine === 'cpu') set({ engineChoice: { ...engineChoice, engine: 'automatic' } });
      await loadAnew(true);
    },
  };
}
