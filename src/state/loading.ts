import type { StoredModel } from '../models/library/storage.ts';
import { workerStopped } from '../worker/ask.ts';
import type { Lost, ModelInfo, ModelRequest } from '../worker/messages.ts';
import { type Facts, type Offer, requestName } from './facts.ts';
import { keptModel, shownRequest } from './modelChoices.ts';
import { messageOf } from './notices.ts';
import type { Page } from './page.ts';

export interface LoadingActions {
  /** Replaces the model when the new one is whole; what can go wrong ends as a notice. */
  openModel(request: ModelRequest): Promise<void>;
  cancelLoad(): void;
}

/**
 * Loads the model that is loading or in use anew. Resolves with whether it is in use then; `retriesGpu`: also on a GPU that went
 * away.
 */
export type LoadAnew = (retriesGpu: boolean) => Promise<boolean>;

const nameOf = (error: unknown) => (error instanceof Error ? error.name : '');

/** Asks which models are stored. */
export async function listModels({ client, set, notify }: Pick<Page, 'client' | 'set' | 'notify'>): Promise<void> {
  try {
    set({ stored: await client.models() });
  } catch (error) {
    // A worker that died is told of by itself.
    if (nameOf(error) !== workerStopped) notify(messageOf(error));
  }
}

/** The facts by which the next visit finds a model that was loaded; `kept` is the stored copy of a file, if there is one. */
function usedLast(request: ModelRequest, kept: StoredModel | undefined): Partial<Facts> {
  switch (request.kind) {
    case 'file':
      return { file: request.file, ...(kept && { storedModel: { model: kept.id, name: kept.name } }) };
    case 'small':
      return { syntheticSize: null, storedModel: null };
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
    heldBytes: model.heldBytes,
    encodeFailure: null,
    profiled: null,
    inspected: null,
    analysed: new Map(),
    lost: null,
    noEngine: null,
  };
}

interface LoadOptions {
  /** Whether a person chose the model, so that the next visit starts with it. */
  readonly isChosen?: boolean;
  /** Whether the GPU is looked for although it went away. */
  readonly retriesGpu?: boolean;
}

/** Whether the small model of the page is missing, and there is no other in use. */
const isWithoutSmallModel = ({ model }: Facts, error: unknown) => !model && nameOf(error) === 'SmallModelError';

const gpuAgain: Offer = { label: 'Use the GPU again', retriesGpu: true };

/** Says what ended a load, and offers what can be done. */
function tellFailure({ get, set, notify }: Page, request: ModelRequest, error: unknown): void {
  const name = nameOf(error);
  if (name === 'AbortError') return;
  if (name === workerStopped) {
    // The model that can be loaded again is named beside the button.
    if (requestName(request) !== requestName(shownRequest({ ...get(), loading: null })))
      notify(`${requestName(request)} was not loaded, because the encoder’s worker stopped.`);
  } else if (name === 'TrailingBytesError' && request.kind === 'file')
    notify(messageOf(error), {
      label: 'Open it without these bytes',
      request: { ...request, passTrailingBytes: true },
    });
  else if (name === 'DamagedCheckpointError' && request.kind !== 'synthetic')
    notify(messageOf(error), { label: 'Examine it', damaged: request });
  else if (!get().model && (name === 'WebGpuUnavailableError' || name === 'CpuUnavailableError'))
    set({ noEngine: messageOf(error) });
  else if (isWithoutSmallModel(get(), error))
    notify(
      `${messageOf(error).replace(/\.$/, '')}, so the page goes on with made-up weights; choose it under Model to try again.`,
    );
  else notify(messageOf(error));
}

/** Tells of a GPU that the CPU took the place of, and offers the way back. */
function tellEngine({ get, notify }: Page, { engine }: ModelInfo, lost: Lost | null, retriesGpu: boolean): void {
  if (engine.why === null || engine.engine !== 'cpu' || get().engineChoice.engine !== 'automatic') return;
  if (lost?.part === 'GPU')
    notify(`The GPU went away (${lost.reason}), so the encoder goes on with the CPU; nothing was lost.`, gpuAgain);
  else if (retriesGpu) notify(engine.why, gpuAgain);
}

/** Loads models on the engine that was chosen. */
export function modelLoading(
  page: Page,
): LoadingActions & { readonly loadAnew: LoadAnew; start(): Promise<void>; lose(lost: Lost): void } {
  const { client, get, set, notify } = page;
  let loads = 0;
  /** Whether a person chose the model of the newest load. */
  let isNewestChosen = false;

  /** Whether the model is in use now. */
  async function load(request: ModelRequest, options: LoadOptions = {}): Promise<boolean> {
    const { isChosen = false, retriesGpu = false } = options;
    // Only the newest load shows, also of two loads of one model.
    const mine = ++loads;
    const isMine = () => mine === loads;
    isNewestChosen = isChosen;
    set({ loading: { request, progress: null, isCancelled: false }, noEngine: null });
    try {
      const model = await client.load(request, { ...get().engineChoice, retriesGpu }, (progress) => {
        const { loading } = get();
        if (isMine()) set({ loading: loading && { ...loading, progress } });
      });
      const { lost } = get();
      set(justLoaded(model, request));
      if (isChosen) set(usedLast(request, keptModel(get())));
      tellEngine(page, model, lost, retriesGpu);
      void hashWeights(model);
      return true;
    } catch (error) {
      tellFailure(page, request, error);
      // Another tab may have deleted it.
      if (request.kind === 'stored') void listModels(page);
      return isMine() && isWithoutSmallModel(get(), error) ? load({ kind: 'synthetic', size: 'tiny' }) : false;
    } finally {
      if (isMine()) {
        set({ loading: null });
        if (request !== get().modelRequest) goOn();
      }
    }
  }

  /** Loads the model in use again where the GPU went away with it and the engine is the page's to choose. */
  function goOn() {
    const { lost, modelRequest, engineChoice } = get();
    if (lost?.part === 'GPU' && modelRequest && engineChoice.engine === 'automatic') void load(modelRequest);
  }

  const loadAnew: LoadAnew = (retriesGpu) =>
    load(shownRequest(get()), { isChosen: get().loading !== null && isNewestChosen, retriesGpu });

  /** Finds the hash by which the weights in use are known elsewhere; nobody waits for it to use them. */
  async function hashWeights(model: ModelInfo) {
    if (model.random) return;
    const weightsHash = await client.weightsHash().catch(() => undefined);
    if (get().model !== model) return;
    set({ weightsHash });
    const { modelRequest } = get();
    if (modelRequest?.kind === 'file') set(usedLast(modelRequest, keptModel(get())));
  }

  async function openModel(request: ModelRequest) {
    await load(request, { isChosen: true });
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
        `"${storedModel.name}" is no longer stored in this browser, so the page starts with ${requestName(shownRequest(get()))}; it can be downloaded or opened again.`,
      );
    }
  }

  return {
    openModel,
    loadAnew,
    cancelLoad() {
      const { loading } = get();
      set({ loading: loading && { ...loading, isCancelled: true } });
      client.cancelLoad();
    },
    /** Takes notice of a part of the encoder that went away. */
    lose(lost) {
      set({ lost });
      if (!get().loading) goOn();
    },
    /** Loads the model that was used last, or else the small one that comes with the page. */
    async start() {
      const { storedModel } = get();
      // Someone may have chosen a model before the stored ones were listed.
      const hasNone = () => !get().loading && !get().model;
      if (storedModel) await loadStored(storedModel, hasNone);
      else void listModels(page);
      // Nobody chose this model, so it is not remembered: the next visit tries again what was used last.
      if (hasNone()) await load(shownRequest({ ...get(), storedModel: null }));
    },
  };
}
