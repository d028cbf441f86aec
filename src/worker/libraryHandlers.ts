import { sha256 } from '@noble/hashes/sha2.js';
import { clipTiny, clipVitL14 } from '../clip/config.ts';
import type { WeightSource } from '../clip/weights.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import { type ByteSource, blobSource } from '../files/sources.ts';
import { drift, examine } from '../models/doctor.ts';
import { download } from '../models/library/download.ts';
import { keepEncoder } from '../models/library/keep.ts';
import type { ModelStorage } from '../models/library/storage.ts';
import { openCheckpoint } from '../models/openCheckpoint.ts';
import { smallModelSource } from '../models/smallModel.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import type { Calls, FileRequest, LoadProgress, ModelRequest, StoredModels } from './messages.ts';
import type { Handlers } from './serve.ts';

export interface Library {
  /** Asks for the file of the small model that comes with the page. */
  readonly fetchSmallModel: (signal: AbortSignal) => Promise<Response>;
  /** The models that are stored; opened at the first call. */
  readonly storage: () => Promise<ModelStorage>;
  /** The browser's StorageManager; a page that came over plain http has none. */
  readonly quota: StorageManager | undefined;
}

async function openSource(library: Library, model: FileRequest, signal: AbortSignal): Promise<ByteSource> {
  switch (model.kind) {
    case 'small':
      return smallModelSource(library.fetchSmallModel, signal);
    case 'file':
      return blobSource(model.file);
    case 'stored':
      return (await library.storage()).open(model.model, model.name);
    default:
      return model satisfies never;
  }
}

/** Opens the weights of a model. Rejects with what the file's reader throws, or with the signal's reason. */
export async function openModel(library: Library, model: ModelRequest, signal: AbortSignal): Promise<WeightSource> {
  switch (model.kind) {
    case 'synthetic':
      return syntheticWeights(model.size === 'full' ? clipVitL14 : clipTiny);
    case 'small':
    case 'file':
    case 'stored':
      return openCheckpoint(await openSource(library, model, signal), signal, {
        passTrailingBytes: model.kind === 'file' && model.passTrailingBytes,
      });
    default:
      return model satisfies never;
  }
}

async function storedModels({ storage, quota }: Library): Promise<StoredModels> {
  const { place, list } = await storage();
  const { usage = 0, quota: total } = (await quota?.estimate().catch(() => undefined)) ?? {};
  return {
    place,
    models: await list(),
    free: total === undefined || place === 'memory' ? null : Math.max(0, total - usage),
    persisted: place !== 'memory' && ((await quota?.persisted().catch(() => undefined)) ?? false),
  };
}

const progressTo = (tell: (progress: LoadProgress) => void) => (done: number, total: number) => tell({ done, total });

/** Handlers of the calls about files: what is stored, downloads, copies and examinations. */
export function libraryHandlers(
  library: Library,
): Pick<Handlers<Calls>, 'models' | 'download' | 'keep' | 'deleteModel' | 'examine' | 'drift'> {
  return {
    models: () => storedModels(library),
    async download({ file }, signal, onProgress) {
      // The first address names the part that has arrived, whichever address the rest then comes from.
      const into = await (await library.storage()).sink({ name: file.label, source: file.urls[0] });
      return download(file.urls, { into, expected: file, sha256: () => sha256.create(), signal, onProgress });
    },
    async keep({ file, source }, signal, onProgress) {
      // It was opened before, perhaps without the bytes after its last tensor: these are not kept.
      const checkpoint = await openCheckpoint(blobSource(file), signal, { passTrailingBytes: true });
      const into = await library.storage();
      return keepEncoder(checkpoint, { into, source, sha256: () => sha256.create(), signal, onProgress });
    },
    async deleteModel({ model }) {
      await (await library.storage()).delete(model);
      return storedModels(library);
    },
    async examine({ model }, signal, tell) {
      // The examination tells of bytes after the last tensor.
      const file = await openTensorFile(await openSource(library, model, signal), signal, { passTrailingBytes: true });
      return examine(file, { signal, onProgress: progressTo(tell) });
    },
    async drift({ from, to }, signal, tell) {
      const [before, after] = [await openModel(library, from, signal), await openModel(library, to, signal)];
      return drift(before, after, { signal, onProgress: progressTo(tell) });
    },
  };
}
