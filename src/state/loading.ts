import type { StoredModel } from '../models/library/storage.ts';
import { type EncoderClient, workerStopped } from '../worker/client.ts';
import type { ModelInfo, ModelRequest } from '../worker/messages.ts';
import { type Facts, requestName } from './facts.ts';
import { keptModel } from './modelChoices.ts';
import { messageOf } from './notices.ts';
import type { Page } from './page.ts';

export interface LoadingActions {
  /** Replaces the model when the new one is whole; what can go wrong ends as a notice. */
  openModel(request: ModelRequest): Promise<void>;
  cancelLoad(): void;
}

/** Asks which models are stored. */
export async function listModels({ client, set, notify }: Pick<Page, 'client' | 'set' | 'notify'>): Promise<void> {
  if (!client) return;
  try {
    set({ stored: await client.models() });
  } catch (error) {
    notify(messageOf(error));
  }
}

/** The facts by which the next visit finds a model that was loaded; `kept` is the stored copy of a file, if there is one. */
function usedLast(request: ModelRequest, kept: StoredModel | undefined): Partial<Facts> {
  switch (request.kind) {
    case 'file':
      return { file: request.file, ...(kept && { storedModel: { model: kept.id, name: kept.name } }) };
    case 'synthetic':
      return { syntheticSize: request.size, storedModel: null };
    case 'stored':
      return { storedModel: { model: request.model, name: request.name } };
    default:
      return request satisfies never;
  }
}

/** The facts of a model that was just loaded: nothing is encoded with it yet. */
function justLoaded(model: ModelInfo, request: ModelRequest): Partial<Facts> {
  return {
    model,
    weightsHash: model.random ? undefined : null,
    modelRequest: request,
    encoded: new Map(),
    started: null,
    gpuBytes: model.gpuBytes,
    encodeFailure: null,
    profiled: null,
    inspected: null,
    lost: null,
  };
}

/** Finds a GPU and loads models. */
export function modelLoading(page: Page): LoadingActions & { start(): Promise<void> } {
  const { client, get, set, notify } = page;
  let loads = 0;

  /** Finds a GPU, unless one is known already. Rejects with what ended the search. */
  async function findAdapter(client: EncoderClient): Promise<void> {
    if (get().adapter.phase === 'ready') return;
    try {
      set({ adapter: { phase: 'ready', info: await client.start() } });
    } catch (error) {
      // A worker that died has not looked for a GPU to its end.
      const isMissing = !(error instanceof Error && error.name === workerStopped);
      if (isMissing) set({ adapter: { phase: 'missing', message: messageOf(error) } });
      throw error;
    }
  }

  /** Whether the model is in use now. */
  async function load(request: ModelRequest): Promise<boolean> {
    if (!client) {
      notify(`${requestName(request)} was not opened: the encoder needs WebGPU.`);
      return false;
    }
    // Only the newest load shows, also of two loads of one model.
    const mine = ++loads;
    const isMine = () => mine === loads;
    set({ loading: { request, progress: null, isCancelled: false } });
    try {
      await findAdapter(client);
      const model = await client.load(request, (progress) => {
        const { loading } = get();
        if (isMine()) set({ loading: loading && { ...loading, progress } });
      });
      set(justLoaded(model, request));
      void hashWeights(client, model);
      return true;
    } catch (error) {
      const name = error instanceof Error ? error.name : '';
      if (name === 'TrailingBytesError' && request.kind === 'file')
        notify(messageOf(error), {
          label: 'Open it without these bytes',
          request: { ...request, passTrailingBytes: true },
        });
      else if (name === 'DamagedCheckpointError' && request.kind !== 'synthetic')
        notify(messageOf(error), { label: 'Examine it', damaged: request });
      else if (name === workerStopped)
        notify(`${requestName(request)} was not loaded, because the encoder’s worker stopped.`);
      else if (name !== 'AbortError') notify(messageOf(error));
      // Another tab may have deleted it.
      if (request.kind === 'stored') void listModels(page);
      return false;
    } finally {
      if (isMine()) set({ loading: null });
    }
  }

  /** Finds the hash by which the weights in use are known elsewhere; nobody waits for it to use them. */
  async function hashWeights(client: EncoderClient, model: ModelInfo) {
    if (model.random) return;
    const weightsHash = await client.weightsHash().catch(() => undefined);
    if (get().model !== model) return;
    set({ weightsHash });
    const { modelRequest } = get();
    if (modelRequest?.kind === 'file') set(usedLast(modelRequest, keptModel(get())));
  }

  async function openModel(request: ModelRequest) {
    if (await load(request)) set(usedLast(request, keptModel(get())));
  }

  /** Loads the stored model of the last visit if it is still there; `hasNone` says whether no model is loaded or loading. */
  async function loadStored(storedModel: { readonly model: string; readonly name: string }, hasNone: () => boolean) {
    await listModels(page);
    if (!hasNone()) return;
    const isStored = get().stored?.models.some(({ id, complete }) => complete && id === storedModel.model);
    if (isStored) await openModel({ kind: 'stored', ...storedModel });
    else if (isStored === false) {
      set({ storedModel: null });
      notify(
        `"${storedModel.name}" is no longer stored in this browser, so the page starts with made-up weights; it can be downloaded or opened again.`,
      );
    }
  }

  return {
    openModel,
    cancelLoad() {
      const { loading } = get();
      set({ loading: loading && { ...loading, isCancelled: true } });
      client?.cancelLoad();
    },
    /** Finds a GPU, then loads the model that was used last, or else made-up weights. */
    async start() {
      if (!client) return;
      try {
        await findAdapter(client);
      } catch {
        return;
      }
      const { storedModel, syntheticSize } = get();
      // Someone may have chosen a model before the GPU was found.
      const hasNone = () => !get().loading && !get().model;
      if (storedModel) await loadStored(storedModel, hasNone);
      else void listModels(page);
      // Nobody chose these weights, so they are not remembered: the next visit tries again what was used last.
      if (hasNone()) await load({ kind: 'synthetic', size: syntheticSize });
    },
  };
}
