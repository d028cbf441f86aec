import type { ModelFile } from '../models/library/modelSources.ts';
import type { StoredModel } from '../models/library/storage.ts';
import type { EncoderClient } from '../worker/client.ts';
import type { Download } from './facts.ts';
import { type LoadingActions, listModels } from './loading.ts';
import { requestFor } from './modelChoices.ts';
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
  /** A model in use stays in use until the page is closed. */
  deleteModel(model: string): Promise<void>;
}

/** Downloads models, lists and deletes those that are stored. */
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
    try {
      set({ stored: await client.deleteModel(model) });
      if (get().storedModel?.model === model) set({ storedModel: null });
    } catch (error) {
      notify(messageOf(error));
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
      if (runs.has(file.id)) return;
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
      if (!download) return;
      drop(id);
      const part = partOf(download.file);
      if (part) await remove(part.id);
    },
    deleteModel: remove,
  };
}
