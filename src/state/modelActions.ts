import { keptSource, type ModelFile } from '../models/library/modelSources.ts';
import type { StoredModel } from '../models/library/storage.ts';
import type { EncoderClient } from '../worker/client.ts';
import type { ModelRequest } from '../worker/messages.ts';
import type { Download, Keeping } from './facts.ts';
import { type LoadingActions, listModels } from './loading.ts';
import { messageOf } from './notices.ts';
import type { Page } from './page.ts';

export interface ModelActions {
  /** Asks what is stored. */
  listModels(): Promise<void>;
  /**
   * Downloads a file, or goes on with its part, and uses it when it is whole; until then the model in use stays. Called
   * in answer to a click: the browser is asked to keep what is stored.
   */
  download(file: ModelFile): Promise<void>;
  pauseDownload(file: string): void;
  /** Gives the download up and deletes what has arrived. */
  cancelDownload(file: string): Promise<void>;
  /**
   * Copies the encoder of the file in use into the browser, where the next visit finds it; the model in use stays, now as
   * the stored one. Called in answer to a click, as `download` is.
   */
  keepFile(): Promise<void>;
  /** Gives the copying up, or dismisses that it failed. */
  cancelKeep(): void;
  /** A model in use stays in use until the page is closed. */
  deleteModel(model: string): Promise<void>;
}

export const requestFor = ({ id, name }: StoredModel): ModelRequest => ({ kind: 'stored', model: id, name });

/** What can be done with models that are downloaded and stored. */
export function modelActions(page: Page, openModel: LoadingActions['openModel']): ModelActions {
  const { client, persist, get, set, notify } = page;
  const list = () => listModels(page);
  /** Downloads that run, by file. */
  const runs = new Map<string, { readonly abort: AbortController; readonly ended: Promise<void> }>();

  function put(download: Download) {
    set({ downloads: new Map(get().downloads).set(download.file.id, download) });
  }
  function drop(file: string) {
    const downloads = new Map(get().downloads);
    if (downloads.delete(file)) set({ downloads });
  }

  function partOf(file: ModelFile): StoredModel | undefined {
    return get().stored?.models.find(({ complete, source }) => !complete && source === file.urls[0]);
  }

  async function remove(model: string) {
    if (!client) return;
    try {
      set({ stored: await client.deleteModel(model) });
      if (get().storedModel?.model === model) set({ storedModel: null });
    } catch (error) {
      notify(messageOf(error));
    }
  }

  let keepRun: AbortController | null = null;
  async function keep(client: EncoderClient, request: ModelRequest & { kind: 'file' }, signal: AbortSignal) {
    const { file } = request;
    const source = keptSource(file, get().weightsHash ?? undefined);
    const keeping: Keeping = { file, source, progress: null, failure: null };
    set({ keeping });
    try {
      const kept = await client.keep(file, source, (progress) => set({ keeping: { ...keeping, progress } }), signal);
      await list();
      set({ keeping: null });
      // Another may have been chosen meanwhile.
      if (get().modelRequest === request)
        set({ modelRequest: requestFor(kept), file: null, storedModel: { model: kept.id, name: kept.name } });
    } catch (error) {
      const { message, fault } = error as { message: string; fault?: string };
      await list();
      set({ keeping: signal.aborted ? null : { ...keeping, failure: { message, fault } } });
    }
  }

  async function run(client: EncoderClient, file: ModelFile, signal: AbortSignal) {
    put({ file, phase: 'running', progress: get().downloads.get(file.id)?.progress ?? null });
    let model: StoredModel;
    try {
      model = await client.download(file, (progress) => put({ file, phase: 'running', progress }), signal);
    } catch (error) {
      const { message, fault } = error as { message: string; fault?: string };
      await list();
      const part = partOf(file);
      const progress = part?.bytes ? { done: part.stored, total: part.bytes, verifying: false } : null;
      return put(
        signal.aborted ? { file, phase: 'paused', progress } : { file, phase: 'failed', progress, message, fault },
      );
    }
    await list();
    drop(file.id);
    void openModel(requestFor(model));
  }

  return {
    listModels: list,
    async download(file) {
      if (!client || runs.has(file.id)) return;
      persist().catch(() => {});
      const abort = new AbortController();
      const ended = run(client, file, abort.signal);
      runs.set(file.id, { abort, ended });
      await ended;
      runs.delete(file.id);
    },
    pauseDownload: (file) => runs.get(file)?.abort.abort(),
    async cancelDownload(id) {
      const run = runs.get(id);
      run?.abort.abort();
      await run?.ended;
      const download = get().downloads.get(id);
      if (!client || !download) return;
      drop(id);
      const part = partOf(download.file);
      if (part) await remove(part.id);
    },
    async keepFile() {
      const { modelRequest, weightsHash } = get();
      if (!client || keepRun || modelRequest?.kind !== 'file' || weightsHash === null) return;
      persist().catch(() => {});
      keepRun = new AbortController();
      await keep(client, modelRequest, keepRun.signal);
      keepRun = null;
    },
    cancelKeep() {
      if (keepRun) keepRun.abort();
      else set({ keeping: null });
    },
    deleteModel: remove,
  };
}
